"""`flux dmesg` and `flux logger` in a session, and how records look."""

import time
from collections.abc import Iterator

import pytest

from flux.commands import logview
from tests.session import Session

RECORD = "<24>1 2026-01-02T03:04:05.123456Z 7 sched - - - too late"


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two hours east of Greenwich."""
    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In Greenwich, in winter."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_what_is_logged_is_shown(session: Session) -> None:
    assert session.flux("logger", "the", "nodes", "are warm") == (0, "", "")
    assert session.flux("logger", "-s", "debug", "-n", "my app", "quiet") == (0, "", "")
    lines = session.flux("dmesg").out.splitlines()
    assert any(line.endswith(" logger.notice[0]: the nodes are warm") for line in lines)
    assert any(line.endswith(" my_app.debug[0]: quiet") for line in lines)


def test_standard_input_is_logged_line_by_line(session: Session) -> None:
    assert session.flux("logger", "-n", "make", stdin="one\ntwo\n") == (0, "", "")
    lines = [line.split(" ", 1)[1] for line in session.flux("dmesg").out.splitlines() if " make." in line]
    assert lines == ["make.notice[0]: one", "make.notice[0]: two"]


def test_a_severity_that_there_is_not_is_named(session: Session) -> None:
    done = session.flux("logger", "-s", "loud", "x")
    assert done.code == 2
    assert "'loud'" in done.err


def test_clear_empties_the_log(session: Session) -> None:
    session.flux("logger", "first")
    assert session.flux("dmesg", "-C") == (0, "", "")
    session.flux("logger", "second")
    out = session.flux("dmesg", "-c").out
    assert "first" not in out
    assert "second" in out
    assert "second" not in session.flux("dmesg").out


def test_new_lines_are_followed(session: Session) -> None:
    session.flux("logger", "old")
    with session.popen("dmesg", "--follow") as running:
        assert running.stdout is not None
        assert any(" old" in line for line in iter(running.stdout.readline, "") if "logger" in line)
        session.flux("logger", "fresh")
        assert next(line for line in running.stdout if "logger" in line).endswith("logger.notice[0]: fresh\n")
        running.send_signal(2)
        _, err = running.communicate()
    assert (running.returncode, err) == (130, "")


def test_a_pipe_gets_no_color(session: Session) -> None:
    session.flux("logger", "plain")
    assert "\033" not in session.flux("dmesg", "-H").out
    assert "\033[33mlogger.notice[0]\033[0m: plain" in session.flux("dmesg", "--color").out


@pytest.mark.usefixtures("utc")
def test_in_greenwich_times_stay_as_they_are() -> None:
    assert logview.View().line(RECORD) == "2026-01-02T03:04:05.123456Z sched.err[7]: too late"


@pytest.mark.usefixtures("zone")
def test_elsewhere_times_are_local() -> None:
    assert logview.View().line(RECORD) == "2026-01-02T05:04:05.123456+02:00 sched.err[7]: too late"


@pytest.mark.usefixtures("zone")
def test_people_get_the_minute_and_then_seconds() -> None:
    view = logview.View(human=True)
    records = [RECORD.replace("05.123456", second) for second in ("05.000000", "06.500000", "07.000000")]
    assert [view.line(record).split("] ")[0] for record in records] == ["[Jan02 05:04", "[  +1.500000", "[  +2.000000"]
    assert view.line(RECORD.replace("03:04", "03:05")).startswith("[Jan02 05:05] ")


@pytest.mark.usefixtures("utc")
def test_people_may_have_the_time_since_the_line_before() -> None:
    view = logview.View(human=True, delta=True)
    records = [RECORD.replace("05.123456", second) for second in ("05.000000", "06.500000", "07.000000")]
    assert [view.line(record).split("] ")[0] for record in records] == ["[Jan02 03:04", "[  +1.500000", "[  +0.500000"]


@pytest.mark.usefixtures("utc")
def test_colors_are_by_severity() -> None:
    assert logview.View(color=True).line(RECORD) == (
        "\033[32m2026-01-02T03:04:05.123456Z\033[0m \033[33msched.err[7]\033[0m: \033[31mtoo late\033[0m"
    )


def test_what_is_no_record_is_shown_as_it_is() -> None:
    assert logview.View(human=True).line("garbage") == "garbage"


def test_a_timestamp_that_is_none_is_shown_as_it_is() -> None:
    assert logview.View(human=True).line("<24>1 - 7 sched - - - x") == "[-] sched.err[7]: x"
