"""`./dev bench`, in small, as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

from bench.benches import BENCHES
from bench.figures import FIGURES

ROOT = Path(__file__).parents[2]


def bench(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "bench", *words], capture_output=True, text=True, cwd=ROOT)


def test_every_figure_has_a_bench_that_measures_it() -> None:
    assert {figure.bench for figure in FIGURES} == set(BENCHES)


def test_a_quick_look_measures_requests_events_and_keys_and_writes_json(tmp_path: Path) -> None:
    done = bench("--quick", "--json", str(tmp_path / "found.json"), "rpc", "events", "kvs")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert all(trip > 0 for trip in found["machine"]["round_trip_us"])
    names = {figure.name for figure in FIGURES if figure.bench in ("rpc", "events", "kvs")}
    assert {entry["name"] for entry in found["figures"] if entry["ours"] > 0} == names
    assert all(entry["what"] in done.stdout for entry in found["figures"])


def test_jobs_and_commands_are_measured_in_turn_with_another_flux() -> None:
    itself = str(Path(sys.executable).with_name("flux"))
    done = bench("--quick", "--vs", itself, "run", "stdout")
    assert done.returncode == 0, done.stderr
    assert [line.split(" turn ")[0] for line in done.stderr.splitlines()] == ["bench: run,"] * 2 + [
        "bench: stdout,"
    ] * 2
    assert done.stdout.count(" x ") >= 3


def test_an_unknown_bench_is_named() -> None:
    done = bench("nosuch")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nosuch: no such bench" in done.stderr


def test_another_flux_that_is_not_there_is_named() -> None:
    done = bench("--vs", "/nonexistent/flux", "rpc")
    assert done.returncode == 2
    assert "/nonexistent/flux: no such command" in done.stderr


def test_a_file_that_cannot_be_written_is_named_before_anything_is_measured() -> None:
    done = bench("--json", "/nonexistent/found.json")
    assert done.returncode == 2
    assert "/nonexistent/found.json: No such file or directory" in done.stderr
