"""`flux modctl`, and `flux module` on many ranks, in a session of four brokers."""

import json
import re
from pathlib import Path

import pytest

from flux.base.idset import IDset
from flux.commands import modctl
from tests.session import Session, session

MINE = """
from flux.service import Service
class Mine(Service):
    pass
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file that is a module."""
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def listed(session: Session) -> dict[str, str]:
    rows = json.loads(session.flux("module", "list", "-r", "all", "--json").out)
    return {row["name"]: row["ranks"] for row in rows}


def test_a_module_is_loaded_and_removed_on_many_ranks(session: Session, mine: Path) -> None:
    assert session.flux("module", "load", "-r", "1-3", "./mine.py", "a=1", cwd=mine.parent) == (0, "", "")
    assert listed(session)["mine"] == "1-3"
    assert session.flux("module", "remove", "-r", "2", "mine") == (0, "", "")
    assert listed(session)["mine"] == "1,3"
    row = session.flux("modctl", "status").out.splitlines()[-1]
    assert row.split() == ["mine", "1,3", "1,3"]
    assert session.flux("module", "reload", "-r", "1,3", str(mine)) == (0, "", "")
    assert session.flux("module", "remove", "-r", "1,3", str(mine)) == (0, "", "")
    assert "mine" not in listed(session)


def test_ranks_that_do_not_have_it_or_have_it_already_are_named_and_nothing_changes(
    session: Session, mine: Path
) -> None:
    assert session.flux("module", "load", "-r", "0-1", str(mine)).code == 0
    done = session.flux("module", "load", "-r", "all", str(mine))
    assert (done.code, done.out) == (1, "")
    assert done.err == f"flux-module: load {mine}: ranks 0-1: mine: module is already loaded\n"
    assert listed(session)["mine"] == "0-1"
    done = session.flux("module", "remove", "-r", "all", "mine")
    assert (done.code, done.err) == (1, "flux-module: remove mine: ranks 2-3: mine: module is not loaded\n")
    assert listed(session)["mine"] == "0-1"
    assert session.flux("module", "remove", "-f", "-r", "all", "mine") == (0, "", "")
    done = session.flux("module", "reload", "-r", "1", str(mine))
    assert done.code == 1
    assert session.flux("module", "reload", "-f", "-r", "1", str(mine)) == (0, "", "")
    assert session.flux("module", "remove", "-r", "1", "mine").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("load -r 0-9 kvs", "load kvs: ranks 0-9: this instance has ranks 0-3 only"),
        ("load -r 3-1 kvs", "load kvs: ranks: error parsing range '3-1'"),
        ("load -r 1-2 nosuch", "load nosuch: ranks 1-2: nosuch: module not found"),
        ("load --exec -r 1 kvs", "load kvs: kvs: modules run within the broker"),
        ("load --exec barrier", "load barrier: modules run within the broker"),
        ("remove -r all log", "remove log: ranks 0-3: log: is part of the broker"),
        ("remove -r all modctl", "remove modctl: ranks 0-3: modctl: cannot remove itself"),
        ("list -r 7", "ranks 7: this instance has ranks 0-3 only"),
        ("stats -r 1-2 nosuch", "nosuch: ranks 1-2: No service matching nosuch.stats-get is registered"),
        ("stats -r 1 -p a.b attr", "attr: rank 1: `a.b' not found in response"),
        ("debug -r x kvs", "ranks: error parsing range 'x'"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_changes_nothing(session: Session, words: str, said: str) -> None:
    before = listed(session)
    done = session.flux("module", *words.split())
    assert (done.code, done.err) == (1, f"flux-module: {said}\n")
    assert listed(session) == before


def test_answers_that_are_alike_are_shown_once(session: Session) -> None:
    assert session.flux("module", "debug", "-r", "0-2", "-S", "3", "barrier").out == "0-2: 0x3\n"
    assert session.flux("module", "debug", "-r", "all", "barrier").out == "0-2: 0x3\n3: 0x0\n"
    assert session.flux("module", "debug", "-r", "all", "-C", "barrier").out == "0-3: 0x0\n"
    assert session.flux("module", "stats", "-r", "1-2", "-p", "rx.control", "barrier").out == "1-2: 0\n"
    assert session.flux("module", "stats", "-r", "1-2", "-c", "barrier") == (0, "", "")
    assert re.fullmatch(
        r"0: \d+\n(.*\n)+", session.flux("module", "stats", "-r", "all", "-R", "-p", "maxrss", "kvs").out
    )


def test_a_table_has_a_column_for_ranks(session: Session) -> None:
    heading, *lines = session.flux("module", "list", "-r", "all").out.splitlines()
    assert heading == "Module                    Idle  S Sendq Recvq Ranks Service"
    assert {line.split()[0]: line.split()[5] for line in lines}["content-sqlite"] == "0"


def test_wrong_usage_is_said(session: Session) -> None:
    for words in ("stats -r 1 -C kvs", "trace -d kvs", "trace -t nosuch kvs"):
        assert session.flux("module", *words.split()).code == 2


TRACE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} heartbeat(\[\d\])? tx e heartbeat.pulse \[0\]\n"


def test_messages_of_modules_are_shown() -> None:
    with session(2, "-Sheartbeat.period=0.05s") as running:
        trace = ("module", "trace", "-t", "event")
        assert re.fullmatch(TRACE, running.flux(*trace, "-c", "1", "-T", "heartbeat.*", "heartbeat").out)
        human = running.flux(*trace, "-c", "2", "-H", "-d", "-L", "heartbeat").out
        assert re.match("\033\\[1m\033\\[32m\\[[A-Z][a-z]{2}\\d\\d \\d\\d:\\d\\d\\]\033\\[0m ", human)
        everywhere = running.flux(*trace, "-c", "8", "-r", "all", "kvs", "heartbeat").out
        assert "heartbeat[0] tx e heartbeat.pulse" in everywhere


def test_differences_are_shown() -> None:
    wanted = [{"name": "a", "ranks": "0-3"}, {"name": "b", "ranks": "0-1"}, {"name": "b", "ranks": "2"}]
    loaded = [(IDset("0-1"), [{"name": "a"}, {"name": "b"}]), (IDset("2"), [{"name": "a"}, {"name": "c"}])]
    rows = modctl.compared(wanted, loaded, IDset("3"))
    assert modctl.table(rows).splitlines() == [
        "Module  Wanted  Loaded  Missing  Extra",
        "a       0-3     0-2",
        "b       0-2     0-1     2",
        "c               2                2",
    ]
    assert modctl.table(rows[:1]).splitlines()[0] == "Module  Wanted  Loaded"


def test_a_module_that_was_removed_by_hand_is_missing(session: Session) -> None:
    session.flux("module", "remove", "barrier")
    rows = json.loads(session.flux("modctl", "status", "--json").out)
    assert [row for row in rows if row["missing"] or row["extra"]] == [
        {"name": "barrier", "wanted": "0-3", "loaded": "1-3", "missing": "0", "extra": ""}
    ]
    assert session.flux("modctl", "status").out.splitlines()[0].split()[-1] == "Missing"
    session.flux("module", "load", "barrier")
    assert "Missing" not in session.flux("modctl", "status").out
