"""Where output goes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.wreck.sinks import Sinks


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Sinks]:
    made = Sinks({"stdout": str(tmp_path / "out.{{taskid}}")}, lambda task: {"taskid": str(task)}, print)
    yield made
    made.close()


def test_files_are_made_before_anything_is_written(files: Sinks, tmp_path: Path) -> None:
    files.open(2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.0", "out.1"]


def test_each_task_writes_to_its_own(files: Sinks, tmp_path: Path) -> None:
    files.write(0, "stdout", b"a\n")
    files.write(1, "stdout", b"b\n")
    files.write(0, "stdout", b"c\n")
    assert (tmp_path / "out.0").read_bytes() == b"a\nc\n"
    assert (tmp_path / "out.1").read_bytes() == b"b\n"


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    made = Sinks({"stdout": f"{tmp_path}/no/such"}, lambda task: {}, print)
    with pytest.raises(OSError, match=f"{tmp_path}/no/such: No such file"):
        made.open(1)


def labelled(*writes: bytes) -> bytes:
    read, write = os.pipe()
    made = Sinks({}, lambda task: {}, print, label=True, ours={"stdout": write})
    for data in writes:
        made.write(7, "stdout", data)
    os.close(write)
    with open(read, "rb") as pipe:
        return pipe.read()


@pytest.mark.parametrize(
    ("writes", "out"),
    [
        ([b"a\nb\n"], b"7: a\n7: b\n"),
        ([b"\n"], b"7: \n"),
        ([b"a", b"b\nc", b"\n"], b"7: ab\n7: c\n"),
        ([b"a\n", b"b"], b"7: a\n7: b"),
        ([b""], b""),
    ],
)
def test_each_line_has_one_label(writes: list[bytes], out: bytes) -> None:
    assert labelled(*writes) == out


@given(st.lists(st.binary(max_size=6).map(lambda data: data.replace(b"\r", b"\n")), max_size=8))
def test_labels_are_all_that_is_added(writes: list[bytes]) -> None:
    data = b"".join(writes)
    lines = data.split(b"\n")
    whole = b"".join(b"7: " + line + b"\n" for line in lines[:-1])
    assert labelled(*writes) == whole + (b"7: " + lines[-1] if lines[-1] else b"")
