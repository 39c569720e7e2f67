"""The run directory: whose it is, how long its name may be, and that it goes."""

import os
import subprocess
import sys
from errno import EBUSY
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from flux.runtime.rundir import (
    LONGEST_NAME,
    SOCKET_PATH_MAX,
    check,
    claim,
    hold,
    make,
    make_private,
    release,
    remove,
)


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


def test_one_broker_of_each_rank_holds_it(tmp_path: Path) -> None:
    where = str(tmp_path)
    first, other = hold(where, 0), hold(where, 1)
    with pytest.raises(OSError, match=f"rundir {where}: in use by another session: .*-0, pid {os.getpid()}$") as busy:
        hold(where, 0)
    assert busy.value.errno == EBUSY
    release(where, 0, first)
    release(where, 0, hold(where, 0))
    release(where, 1, other)
    assert not [*tmp_path.iterdir()]


def test_who_is_killed_holds_it_no_more(tmp_path: Path) -> None:
    program = (
        "import sys; from flux.runtime.rundir import hold; hold(sys.argv[1], 0); print(flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        with pytest.raises(OSError, match=f"pid {holder.pid}$"):
            hold(str(tmp_path), 0)
        holder.kill()
        holder.wait()
        release(str(tmp_path), 0, hold(str(tmp_path), 0))
