"""Many jobs at once, from the command line: submitted, followed, found, changed and ended."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from flux.commands.jobprogress import JobsBar
from tests.session import Session
from tests.session import session as new_session


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    """A session of one."""
    with new_session(1) as running:
        yield running


def test_a_job_for_each_input_and_number(session: Session, tmp_path: Path) -> None:
    done = session.flux("bulksubmit", "--watch", "--quiet", "--cc=1-2", "echo", "{}", "{cc}", ":::", "a", "b")
    assert (done.code, sorted(done.out.split("\n"))) == (0, ["", "a 1", "a 2", "b 1", "b 2"])
    shown = session.flux("bulksubmit", "--dry-run", "-n", "{}", "--job-name=j{seq}", "true", ":::", "1", "2")
    assert shown.out == "bulksubmit: submit -n1 --job-name=j0 true\nbulksubmit: submit -n2 --job-name=j1 true\n"
    assert session.flux("bulksubmit", "--wait", "--log", str(tmp_path / "log"), "true", stdin="x\ny\n")[:2] == (0, "")
    assert (tmp_path / "log").read_text().count("ƒ") == 2


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["true", ":::", "x", ":::+"], "no inputs after :::+"),
        (["echo", "{7}", ":::", "x"], "Invalid replacement string in '{7}'"),
        (["true", "::::", "/nowhere"], "/nowhere: No such file or directory"),
        (["--cc=x", "true", ":::", "x"], "--cc: error parsing range 'x'"),
        (["true"], "no jobs provided for bulk submission"),
    ],
)
def test_what_cannot_be_submitted_is_said(session: Session, words: list[str], why: str) -> None:
    assert session.flux("bulksubmit", *words) == (1, "", f"flux-bulksubmit: {why}\n")


def test_jobs_are_waited_for_up_to_an_event(session: Session) -> None:
    code, _, err = session.flux("submit", "-v", "--wait-event=exec.shell.init", "false")
    assert code == 0 and " shell.init " in err and " finish " not in err
    assert session.flux("submit", "--wait", "--cc=0-2", "sh", "-c", "exit {cc}").code == 2


def test_jobs_are_watched_found_and_ended_by_name(session: Session) -> None:
    ids = session.flux("bulksubmit", "--wait", "--job-name=say{seq}", "echo", "{}", ":::", "a", "b").out.split()
    assert session.flux("watch", *ids) == (0, "a\nb\n", "")
    assert sorted(session.flux("pgrep", "-a", "^say").out.split()) == sorted(ids)
    assert session.flux("pgrep", "-a", "say", f"{ids[1]}..{ids[1]}").out.split() == ids[1:]
    assert session.flux("pgrep", "say") == (1, "", "")
    assert "say1" in session.flux("pgrep", "-a", "-o", "full", "say1").out
    running = session.flux("submit", "--job-name=sleeper", "sleep", "1000").out.strip()
    assert session.flux("pkill", "--wait", "sleeper") == (0, "", "flux-pkill: Canceled 1 job\n")
    assert session.flux("jobs", "-n", "-o", "{result}", running).out == "CANCELED\n"
    assert session.flux("pkill", "sleeper") == (1, "", "flux-pkill: No matching jobs\n")
    assert session.flux("pgrep", "(")[::2] == (1, "flux-pgrep: (: missing ), unterminated subpattern at position 0\n")


def test_a_job_is_changed(session: Session) -> None:
    id = session.flux("submit", "--urgency=hold", "-t", "10m", "true").out.strip()
    assert session.flux("update", "--wait", id, "duration=+5m", "name=other") == (0, "", "")
    made = json.loads(session.flux("job", "info", id, "jobspec").out)["attributes"]["system"]
    assert (made["duration"], made["job"]) == (900, {"name": "other"})
    assert session.flux("update", "-n", id, "bank=b").out == '{"attributes.system.bank": "b"}\n'
    for words, why in (
        (["duration=-1h"], f"current duration for {id} (15m) cannot be reduced by 1h"),
        (["duration=x"], "duration: 'x' is not a duration (like 30s, 2h, +10m)"),
        (["x"], "'x' is not KEY=VALUE"),
    ):
        assert session.flux("update", id, *words) == (1, "", f"flux-update: {why}\n")
    session.flux("cancel", id)


class Terminal(io.StringIO):
    """Looks like one."""

    def isatty(self) -> bool:
        return True


def test_the_bar_counts_jobs_and_is_drawn_on_terminals_only() -> None:
    bar = JobsBar(4, to=io.StringIO())
    for id, what in ((1, "PD"), (2, "PD"), (1, "R"), (1, "CD"), (2, "F"), (2, "CD"), (3, "R")):
        bar.note(id, what)
    assert bar.done == 2
    assert bar.line(65.0) == f"PD:0     R:1     CD:1     F:1    │{'█' * 12}{' ' * 12}│ 50.0% 1:05"
    assert JobsBar(0, rate=True).line(2.0).endswith("│100.0% 0.0 job/s")
    screen = Terminal()
    drawn = JobsBar(1, to=screen)
    drawn.note(1, "CD")
    drawn.end()
    assert "100.0%" in screen.getvalue() and screen.getvalue().endswith("\n")
