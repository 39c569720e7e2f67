"""`flux ps` in a session."""

import json
import re

from tests.session import Session


def test_what_runs_in_the_background_is_shown_with_its_rank_and_label(session: Session) -> None:
    started = session.flux("exec", "-r", "1-2", "--bg", "--label", "idler", "sleep", "1000")
    assert started.code == 0
    pids = dict(line.split(": ") for line in started.out.splitlines())
    try:
        lines = session.flux("ps", "-r", "all").out.splitlines()
        assert lines[0].split() == ["RANK", "PID", "STATE", "LABEL", "COMMAND"]
        assert [line.split() for line in lines[1:]] == [
            [rank, pids[rank], "R", "idler", "sleep"] for rank in ("1", "2")
        ]
        assert session.flux("ps", "-n").out == ""
        rows = json.loads(session.flux("ps", "-r", "2", "--json").out)
        assert rows == [{"rank": 2, "pid": int(pids["2"]), "cmd": "sleep", "label": "idler", "state": "R"}]
    finally:
        for rank, pid in pids.items():
            session.flux("exec", "-r", rank, "kill", pid)


def test_a_rank_that_is_none_is_named(session: Session) -> None:
    done = session.flux("ps", "-r", "0-99")
    assert done.code == 1
    assert re.fullmatch(r"flux-ps: rank 99 is not in this instance .*\n", done.err)
