"""The package `flux.job` itself: names are found whatever was imported before."""

import subprocess
import sys
from types import ModuleType

import pytest

import flux.job

FIRST_IMPORTED = """
import sys
import flux.job.kill, flux.job.submit, flux.job.wait, flux.job.timeleft, flux.job.JobID, flux.job.Jobspec
from types import ModuleType
print([name for name in flux.job.__all__ if isinstance(getattr(flux.job, name), ModuleType)])
print(callable(sys.modules["flux.job.kill"].kill), flux.job.event.__name__)
"""


def test_a_name_is_never_the_file_that_it_is_in() -> None:
    done = subprocess.run([sys.executable, "-c", FIRST_IMPORTED], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nTrue flux.job.event\n"


def test_all_names_are_there() -> None:
    assert all(getattr(flux.job, name) is not None for name in flux.job.__all__)
    assert isinstance(flux.job.output, ModuleType)
    with pytest.raises(AttributeError, match=r"module 'flux\.job' has no attribute 'colour'"):
        _ = flux.job.colour


def test_all_that_is_public_says_what_it_does() -> None:
    assert [name for name in flux.job.__all__ if callable(found := getattr(flux.job, name)) and not found.__doc__] == []


def test_ids_have_texts() -> None:
    assert flux.job.id_parse("f2") == flux.job.id_parse("0x1") == flux.job.id_parse("0.0.0.1") == 1
    assert [flux.job.id_encode(1, way) for way in ("dec", "f58", "f58plain", "kvs")] == [
        *("1", "ƒ2", "f2", "job.0000.0000.0000.0001"),
    ]
    for wrong in (lambda: flux.job.id_parse("no id"), lambda: flux.job.id_encode(1, "colour")):
        with pytest.raises(OSError):
            wrong()
