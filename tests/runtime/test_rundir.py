"""The run directory: whose it is, how long its name may be, and that it goes."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from flux.runtime.rundir import LONGEST_NAME, SOCKET_PATH_MAX, check, claim, make, make_private, remove


def test_it_is_private_and_below_tmpdir() -> None:
    with TemporaryDirectory(dir="/tmp") as below:  # tmp_path may be too long for sockets
        made = Path(make({"TMPDIR": below}))
        assert made.parent == Path(below)
        assert made.stat().st_mode & 0o777 == 0o700


def test_where_tmpdir_is_too_long_for_sockets_it_is_below_tmp(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    made = make({"TMPDIR": str(long)})
    remove(made)
    assert made.startswith("/tmp/flux-")
    assert len(made) + LONGEST_NAME <= SOCKET_PATH_MAX


def test_a_tmpdir_that_is_not_there_is_named() -> None:
    with pytest.raises(OSError, match=r"/nonexistent/no/flux-.*: No such file"):
        make({"TMPDIR": "/nonexistent/no"})


def test_removing_takes_all_that_is_in_it_and_nothing_else(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    keep.write_text("x")
    made = tmp_path / "run"
    make_private(str(made))
    (made / "a" / "b").mkdir(parents=True)
    (made / "a" / "b" / "file").write_text("x")
    (made / "link").symlink_to(keep)
    (made / "a" / "up").symlink_to(tmp_path)
    (made / "locked").mkdir(mode=0o500)
    remove(str(made))
    remove(str(made))
    assert [path.name for path in tmp_path.iterdir()] == ["keep"]


def test_a_directory_of_somebody_s_choice_must_be_there_and_short_enough(tmp_path: Path) -> None:
    check(str(tmp_path))
    with pytest.raises(OSError, match="rundir /nowhere: no such directory"):
        check("/nowhere")
    long = tmp_path / ("x" * 100)
    long.mkdir()
    with pytest.raises(OSError, match="too long for a socket's path"):
        check(str(long))


def test_a_directory_of_somebody_s_choice_is_made_if_it_is_not_there(tmp_path: Path) -> None:
    with TemporaryDirectory(dir="/tmp") as below:
        chosen = Path(below) / "run"
        assert claim(str(chosen))
        assert chosen.stat().st_mode & 0o777 == 0o700
        assert not claim(str(chosen))
    with pytest.raises(OSError, match="too long for a socket's path"):
        claim(str(tmp_path / ("x" * 100)))
    with pytest.raises(OSError, match=r"/nowhere/run: No such file"):
        claim("/nowhere/run")
    assert list(tmp_path.iterdir()) == []
