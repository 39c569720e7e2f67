"""`flux module` in a session."""

import json
from pathlib import Path

import pytest

from flux.commands import moduleview
from tests.session import Session

HELLO = '''
"""A module for tests."""
from flux.service import Call, Service, request

class Hello(Service):
    @request()
    def who(self, call: Call) -> dict[str, object]:
        return {"args": list(self.args)}
'''


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    """A file that is a module."""
    path = tmp_path / "hello.py"
    path.write_text(HELLO)
    return path


def test_list_has_a_line_for_each_module(session: Session) -> None:
    heading, *lines = session.flux("module", "list").out.splitlines()
    assert heading == "Module                    Idle  S Sendq Recvq Service"
    assert {"kvs", "barrier", "content", "log", "attr"} <= {line.split()[0] for line in lines}
    assert all(line[32] == "R" for line in lines)


def test_long_list_says_where_modules_are_from(session: Session) -> None:
    out = session.flux("module", "list", "-l").out
    assert out.splitlines()[0].endswith("Service  Path")
    assert "flux.modules.kvs" in out


def test_list_has_json_for_programs(session: Session) -> None:
    mods = json.loads(session.flux("module", "list", "--json").out)
    assert {"name", "path", "idle", "status", "services"} <= set(mods[0])


def test_a_file_is_loaded_from_where_the_user_is_and_removed(session: Session, hello: Path) -> None:
    assert session.flux("module", "load", "./hello.py", "a", "b=1", cwd=hello.parent) == (0, "", "")
    assert "hello" in session.flux("module", "list").out
    asked = "import flux; print(flux.Flux().rpc('hello.who').get())"
    assert session.flux("python", "-c", asked).out == "{'args': ['a', 'b=1']}\n"
    assert session.flux("module", "reload", str(hello)) == (0, "", "")
    assert session.flux("python", "-c", asked).out == "{'args': []}\n"
    assert session.flux("module", "remove", "hello") == (0, "", "")
    assert "hello" not in session.flux("module", "list").out


def test_reload_needs_something_to_remove_unless_forced(session: Session, hello: Path) -> None:
    assert session.flux("module", "reload", str(hello)).code == 1
    assert session.flux("module", "reload", "--force", str(hello)) == (0, "", "")
    assert session.flux("module", "remove", str(hello)) == (0, "", "")


def test_an_unknown_module_is_named(session: Session) -> None:
    for verb in ("load", "remove"):
        done = session.flux("module", verb, "nosuch")
        assert (done.code, done.out) == (1, "")
        reason = {"load": "module not found", "remove": "No such file or directory"}[verb]
        assert done.err == f"flux-module: {verb} nosuch: {reason}\n"


def test_a_file_that_is_not_there_is_named(session: Session) -> None:
    done = session.flux("module", "load", "./nosuch.py")
    assert done == (1, "", "flux-module: ./nosuch.py: No such file or directory\n")


def test_removing_what_is_not_there_may_be_asked_for(session: Session) -> None:
    assert session.flux("module", "remove", "-f", "nosuch") == (0, "", "")


def test_a_module_that_raises_at_load_is_refused_and_the_session_lives(session: Session, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("raise ValueError('not today')\n")
    done = session.flux("module", "load", str(bad))
    assert done.code == 1
    assert done.err == f"flux-module: load {bad}: failed to load: ValueError: not today (bad.py, line 1)\n"
    assert "Traceback" in session.flux("dmesg").out
    assert session.flux("getattr", "size").out == "4\n"


def test_stats_are_json_or_one_member(session: Session) -> None:
    found = json.loads(session.flux("module", "stats", "attr").out)
    assert set(found) == {"tx", "rx"}
    assert int(session.flux("module", "stats", "-p", "rx.request", "attr").out) > 0
    assert session.flux("module", "stats", "-p", "rx.nosuch", "attr").err == (
        "flux-module: attr: `rx.nosuch' not found in response\n"
    )


def test_stats_are_cleared(session: Session) -> None:
    for option in ("-c", "-C"):
        assert session.flux("module", "stats", option, "barrier") == (0, "", "")
    assert session.flux("module", "stats", "-p", "rx.response", "barrier").out == "0\n"


def test_rusage_is_that_of_the_process(session: Session) -> None:
    assert float(session.flux("module", "stats", "-R", "-p", "maxrss", "-t", "double", "broker").out) > 0
    for words in (["--rusage", "broker"], ["broker", "-R"], ["-R", "children", "broker"], ["--rusage=self", "broker"]):
        assert "maxrss" in json.loads(session.flux("module", "stats", *words).out)


def test_debug_flags_are_set_and_cleared_by_bits(session: Session) -> None:
    outs = [
        session.flux("module", "debug", *words, "barrier").out
        for words in (["-S", "0x5"], ["-s", "0x2"], ["-c", "0x1"], [], ["-C"])
    ]
    assert outs == ["0x5\n", "0x7\n", "0x6\n", "0x6\n", "0x0\n"]


@pytest.mark.parametrize(
    ("found", "kind", "scale", "text"),
    [
        (3, None, 1.0, "3"),
        (3, "double", 2.0, "6.000000"),
        (1.5, None, 1.0, "1.500000"),
        (1.5, "int", 10.0, "15"),
        ("x", None, 1.0, '"x"'),
        (True, None, 1.0, "true"),
        ({"a": 1}, None, 1.0, '{\n "a": 1\n}'),
    ],
)
def test_values_are_shown_by_their_kind(found: object, kind: str | None, scale: float, text: str) -> None:
    assert moduleview.value(found, kind, scale) == text


def test_a_table_shows_states_services_and_idle_times() -> None:
    mods = [
        {"name": "a", "path": "x.a", "idle": 3, "status": 1, "services": ["a"], "sendqueue": 1, "recvqueue": 2},
        {"name": "b", "path": "x.b", "idle": 100, "status": 2, "services": ["b", "long-service"]},
    ]
    assert moduleview.table(mods, long=True).splitlines()[1:] == [
        "a                            3  R     1     2          x.a",
        "b                         idle  F     0     0 long-se+ x.b",
    ]
