"""Events of output (RFC 24) as objects."""

import json
from typing import Any

import pytest

from flux.job.outputevents import (
    LOG_ERROR,
    LOG_QUIET,
    LOG_TRACE,
    Gathering,
    JobExceptionEvent,
    LogEvent,
    OutputEvent,
    OutputHeaderEvent,
    RedirectEvent,
    Taskset,
    read,
    said,
)


def event(name: str, **context: Any) -> str:
    """A line of a log."""
    return json.dumps({"timestamp": 1.0, "name": name, "context": context})


HEADER = event(
    "header", version=1, count={"stdin": 1, "stdout": 2, "stderr": 2}, encoding={"stdout": "UTF-8", "stderr": "base64"}
)
DATA = event("data", stream="stdout", rank="0-1", data="a\nb\n")
END = event("data", stream="stdout", rank="0", eof=True)
LOG = event("log", rank="0", level=3, message="no", component="pty", file="pty.c", line=7)
REDIRECT = event("redirect", stream="stderr", rank="0-1", path="/err")
EXCEPTION = event("exception", type="cancel", severity=0, note="enough")


def test_each_event_is_of_its_kind() -> None:
    header = read(HEADER)
    assert isinstance(header, OutputHeaderEvent)
    assert (header.version, header.stdout_count, header.stderr_encoding) == (1, 2, "base64")
    data = read(DATA, labelio=True)
    assert isinstance(data, OutputEvent)
    assert (data.render(), data.stream, str(data.rank), data.eof) == ("0-1: a\n0-1: b\n", "stdout", "0-1", False)
    end = read(END)
    assert isinstance(end, OutputEvent)
    assert (end.data, end.eof) == (None, True)
    log = read(LOG)
    assert isinstance(log, LogEvent)
    assert (log.levelstr, log.render()) == ("ERROR", "flux-shell[0]: ERROR: pty: no")
    assert log.render(include_file_and_line=True) == "flux-shell[0]: ERROR: pty: pty.c:7: no"
    redirect = read(REDIRECT)
    assert isinstance(redirect, RedirectEvent)
    assert redirect.render() == "0-1: stderr redirected to /err"
    exception = read(EXCEPTION)
    assert isinstance(exception, JobExceptionEvent)
    assert exception.render() == "job.exception: type=cancel severity=0 enough"
    with pytest.raises(ValueError, match=r"event shell\.init is not a supported"):
        read(event("shell.init"))
    with pytest.raises(ValueError, match="not a data event"):
        OutputEvent(LOG)


def test_bytes_that_are_no_text_survive() -> None:
    data = read(event("data", stream="stdout", rank="all", data="/wo=", encoding="base64", repeat=2))
    assert isinstance(data, OutputEvent) and data.data is not None
    assert data.data.encode(errors="surrogateescape") == b"\xff\n\xff\n"
    assert data.rank.all


def test_what_is_said_goes_where_it_belongs() -> None:
    assert [said(read(line), LOG_TRACE) for line in (HEADER, END)] == [None, None]
    assert said(read(DATA), LOG_TRACE) == ("stdout", "a\nb\n")
    assert [said(read(LOG), level) for level in (LOG_ERROR, LOG_QUIET)] == [
        ("stderr", "flux-shell[0]: ERROR: pty: no\n"),
        ("log", "flux-shell[0]: ERROR: pty: no\n"),
    ]


def test_all_of_it_is_put_together_for_some_tasks() -> None:
    for tasks, stdout in (("*", "a\nb\nc\n"), ("1", "a\nb\n"), ("2", "c\n"), ("3", "")):
        gathering = Gathering(tasks, False, LOG_QUIET)
        for line in (HEADER, DATA, event("data", stream="stdout", rank="2", data="c\n"), LOG, REDIRECT, END):
            gathering.take(line)
        assert gathering.whole() == (stdout, "", "flux-shell[0]: ERROR: pty: no\n")


@pytest.mark.parametrize(
    ("one", "other", "both"), [("all", "1-2", "1-2"), ("0-1", "*", "0-1"), ("0-1", "1-2", "1"), ("0", "1", "")]
)
def test_tasks_are_intersected(one: str, other: str, both: str) -> None:
    found = Taskset(one).intersect(other)
    assert (str(found), bool(found)) == (both, bool(both))
    assert str(Taskset("all").intersect(Taskset("*"))) == "all"
