"""`./dev interop` as a user runs it, without a flux-core."""

import os
import subprocess
import sys
from pathlib import Path

from interop.__main__ import OURS, attempt
from interop.report import failures
from interop.scene import Scene
from interop.session import try_case

ROOT = Path(__file__).parents[2]


def interop(*words: str, path: str = os.defpath) -> "subprocess.CompletedProcess[str]":
    around = os.environ | {"PATH": path}
    words = (sys.executable, "-m", "interop", *words)
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=around)


def test_without_a_flux_core_it_is_skipped_and_says_so(tmp_path: Path) -> None:
    done = interop(path=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "")
    assert "skipped: there is no flux-core here" in done.stderr


def test_ours_is_not_taken_for_flux_core() -> None:
    done = interop("--flux", OURS)
    assert done.returncode == 2
    assert done.stderr == f"interop: {OURS}: is not flux-core\n"


def test_a_flux_that_is_not_there_is_named() -> None:
    done = interop("--flux", "/nonexistent/flux")
    assert (done.returncode, done.stderr) == (2, "interop: /nonexistent/flux: is not flux-core\n")


def test_a_case_says_the_same_with_any_of_our_own() -> None:
    outcomes = attempt([Scene(("flux getattr size", "flux kvs put a=1; flux kvs get a b"))], OURS)
    assert not failures(outcomes)
    assert [outcome.today.lines() for outcome in outcomes] == [
        ["exit 0", "out: 4"],
        ["exit 1", "out: 1", "err: flux-kvs: b: No such file or directory"],
    ]


def test_a_case_that_hangs_ends_with_all_that_it_has_started(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    case = f"(exec 3>{tmp_path}/held; while :; do sleep 1; done) & (while :; do sleep 1; done) | cat"
    reading = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    said = try_case(case, OURS, "local:///nowhere", patience=0.2)
    assert said.out == "hung for 0.2 s"
    os.set_blocking(reading, True)
    assert os.read(reading, 1) == b""  # returns when nobody has it open
    os.close(reading)
