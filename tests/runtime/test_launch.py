"""The launcher, with real processes. Who is left behind holds our pipe: its end proves that nobody is."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flux.runtime.launch import launch

PROGRAM = Path(__file__).parent / "launching.py"
SOURCE = Path(__file__).parent.parent.parent / "src"


def start(tmp_path: Path, size: int, *steps: str, verbose: int = 0) -> subprocess.Popen[str]:
    """Starts the program with a TMPDIR of its own, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(size), str(verbose), *steps],
        env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(tmp_path: Path, size: int, *steps: str, verbose: int = 0) -> tuple[int, str, str]:
    """Runs it to its end; checks that its directory is gone."""
    with start(tmp_path, size, *steps, verbose=verbose) as process:
        out, err = process.communicate()
    assert list(tmp_path.iterdir()) == []
    return process.returncode, out, re.sub(r"pid \d+", "pid N", err)


@pytest.mark.parametrize("size", [1, 3, 16])
def test_the_exit_code_is_that_of_rank_0(tmp_path: Path, size: int) -> None:
    assert run(tmp_path, size, "*:up", "0:exit=7") == (7, "", "")


def test_rank_0_ended_by_a_signal_is_128_and_the_signal(tmp_path: Path) -> None:
    assert run(tmp_path, 3, "*:up", "0:die=9", "*:pause") == (137, "", "0 (pid N) Killed\n")


def test_a_broker_that_dies_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    assert run(tmp_path, 3, "*:up", "1:die=9", "0:exit=3") == (3, "", "1 (pid N) Killed\n")
    assert run(tmp_path, 3, "*:up", "1:exit=2") == (0, "", "1 (pid N) exited with rc=2\n")


def test_a_broker_that_cannot_start_is_named_and_ends_all(tmp_path: Path) -> None:
    assert run(tmp_path, 4, "2:die=11", "*:up") == (139, "", "2 (pid N) Segmentation fault\n")
    assert run(tmp_path, 4, "2:refuse=no socket", "*:up") == (1, "", "2: no socket\n2 (pid N) exited with rc=1\n")
    assert run(tmp_path, 4, "2:exit=0", "*:up") == (1, "", "")


def test_a_broker_can_abort_the_session(tmp_path: Path) -> None:
    assert run(tmp_path, 4, "1:abort=bad luck", "*:up") == (3, "", "1 aborted the session: bad luck\n")


def test_a_broker_that_does_not_speak_pmi_ends_all(tmp_path: Path) -> None:
    assert run(tmp_path, 2, "1:garbage", "*:up") == (1, "", "1 (pid N): not PMI-1: b'HTTP/1.1 400'\n")


@pytest.mark.parametrize("how", ["0:exit=0", "0:die=9"])
def test_nobody_is_left_behind(tmp_path: Path, how: str) -> None:
    run(tmp_path, 3, "*:up", "*:orphan", how)


def test_a_bug_in_a_broker_is_not_hidden(tmp_path: Path) -> None:
    code, _, err = run(tmp_path, 2, "*:up", "0:exit=x")
    assert (code, err) == (1, "0: internal error: ValueError: invalid literal for int() with base 10: 'x'\n")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_passed_on_to_rank_0(tmp_path: Path, signum: signal.Signals) -> None:
    with start(tmp_path, 3, "*:up", "0:say=up", "*:pause") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signum)
        process.communicate()
    assert process.returncode == 128 + signum
    assert list(tmp_path.iterdir()) == []


def test_a_launcher_that_is_killed_is_noticed_by_its_brokers(tmp_path: Path) -> None:
    with start(tmp_path, 3, "*:up", "*:say=up", "*:lifeline", "*:say=end") as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == ["up\n"] * 3
        process.kill()
        assert process.stdout.read() == "end\n" * 3


def test_only_rank_0_stays_with_the_terminal(tmp_path: Path) -> None:
    _, out, _ = run(tmp_path, 3, "*:up", "*:foreground")
    assert sorted(out.splitlines()) == ["0 False False", "1 True False", "2 True False"]


def test_a_keeper_is_forked_when_its_broker_first_has_something_to_start(tmp_path: Path) -> None:
    assert run(tmp_path, 1, "*:up", "*:start") == (0, "1 2\n", "")


def test_verbose_names_the_processes_and_then_what_they_say(tmp_path: Path) -> None:
    assert run(tmp_path, 1, "*:up", verbose=1)[2] == "0 (pid N) started\n"
    assert "0: C: cmd=barrier_in\n0: S: cmd=barrier_out rc=0\n" in run(tmp_path, 1, "*:up", verbose=2)[2]


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_1_is_refused(size: int) -> None:
    with pytest.raises(OSError, match="size must be at least 1"):
        launch(size, lambda pmi, keeper: 0, lambda text: None)


def test_a_signal_ends_it_while_it_still_forks(tmp_path: Path) -> None:
    with start(tmp_path, 400, "*:pause", verbose=1) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.terminate()
        _, err = process.communicate()
    assert process.returncode == 143
    assert "399 (pid" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_at_once_what_is_not_up_yet(tmp_path: Path, signum: signal.Signals) -> None:
    with start(tmp_path, 3, "0:say=begun", "*:pause") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signum)
        _, err = process.communicate()
    assert (process.returncode, err) == (128 + signum, "")
