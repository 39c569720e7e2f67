"""The programs in docs/python.md and docs/kvs.md run as they are written there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.session import Session
from tests.session import session as new_session

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "python.md").read_text() + (DOCS / "kvs.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SAID = [
    "0 0\n1 1\n{0: '4', 1: '4', 2: '4', 3: '4'}\n0-3 no.such: No such attribute\n",
    "42\n",
    "4 steps\n",
    "1,3: 4\n[5, 5]\n3\n",
    "200 b'\\x00\\xff'\n['one', 'raw', 'two'] False\n",
    "50\n100\n",
    "1 sha1-\n",
    "stdout b'one\\n' False\nstderr b'oops\\n' False\nstdout b'' True\nstderr b'' True\n",
]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with new_session(4) as running:
        yield running


def test_each_is_tried() -> None:
    assert len(PROGRAMS) == len(SAID)


@pytest.mark.parametrize(("program", "said"), list(zip(PROGRAMS, SAID, strict=True)))
def test_a_program_of_the_documentation_runs_as_it_is_written(session: Session, program: str, said: str) -> None:
    assert session.flux("python", "-c", program) == (0, said, "")
