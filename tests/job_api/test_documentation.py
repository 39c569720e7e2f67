"""The programs in docs/jobs.md run as they are written there."""

import re
from pathlib import Path

import pytest

from tests.session import Session

DOCS = Path(__file__).parents[2] / "docs" / "jobs.md"
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", DOCS.read_text(), re.MULTILINE | re.DOTALL)
SAID = [
    "stdout task\nstdout task\n0 14\n",
    "[0, 1, 0]\n",
    "sleeper RUN 1\n1\nenough\nclean\n",
    "['a\\n', 'b\\n']\nsubmit\nclean\n2\n",
]


def test_each_is_tried() -> None:
    assert len(PROGRAMS) == len(SAID)


@pytest.mark.parametrize(("program", "said"), list(zip(PROGRAMS, SAID, strict=True)))
def test_a_program_of_the_documentation_runs_as_it_is_written(session: Session, program: str, said: str) -> None:
    assert session.flux("python", "-c", program) == (0, said, "")
