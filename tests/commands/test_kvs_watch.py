"""`flux kvs get --watch`, `namespace`, `eventlog` and `dropcache`, as a user runs them."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.session import Session

NAMESPACES = "NAMESPACE                                 OWNER      FLAGS\n"


@contextmanager
def running(session: Session, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """A command that runs; it must have ended at the end of the `with`."""
    with session.popen("kvs", *words) as process:
        yield process


def put(session: Session, *pairs: str) -> None:
    assert session.flux("kvs", "put", *pairs).code == 0


@pytest.fixture
def key(session: Session) -> str:
    """A directory of the test's own."""
    session.flux("kvs", "unlink", "-Rf", "t")
    return "t.key"


# -- get ---------------------------------------------------------------------------------------------------------------


def test_values_are_shown_as_they_are_written(session: Session, key: str) -> None:
    put(session, f"{key}=1")
    with running(session, "get", "--watch", "--count=3", "--label", key) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{key}=1\n"
        for value in ("1", "2"):
            put(session, f"{key}={value}", "t.other=1")
            assert process.stdout.readline() == f"{key}={value}\n"
        assert process.wait() == 0


def test_what_is_as_before_is_left_out_if_asked_for(session: Session, key: str) -> None:
    put(session, f"{key}=1")
    for option in ("--uniq", "--full"):
        with running(session, "get", "--watch", "--count=2", option, key) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            for value in (first, "3" + first):
                put(session, f"{key}={value.strip()}")
            assert process.stdout.readline() == "3" + first


def test_a_key_that_is_not_there_is_waited_for(session: Session, key: str) -> None:
    with running(session, "get", "--waitcreate", key, "t.second") as process:
        put(session, f"{key}=1", "t.second=2")
        assert process.communicate() == ("1\n2\n", "")
    missing = f"flux-kvs: {key}.no: No such file or directory\n"
    for words in (["--watch"], ["--stream"], ["--watch", "--append"]):
        assert session.flux("kvs", "get", *words, f"{key}.no") == (1, "", missing)


def test_a_key_that_is_removed_ends_a_watch(session: Session, key: str) -> None:
    put(session, f"{key}=1")
    with running(session, "get", "--watch", key) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "1\n"
        assert session.flux("kvs", "unlink", key).code == 0
        assert process.stderr.read() == f"flux-kvs: {key}: No such file or directory\n"
        assert process.wait() == 1


def test_what_is_appended_is_shown_alone(session: Session, key: str) -> None:
    put(session, f"{key}=1")
    with running(session, "get", "--watch", "--append", "--count=3", key) as process:
        assert process.stdout is not None and process.stdout.readline() == "1\n"
        for part in ("2", "3"):
            assert session.flux("kvs", "put", "--append", f"{key}={part}").code == 0
        assert process.stdout.read() == "2\n3\n"
    assert session.flux("kvs", "get", "--stream", key) == (0, "123\n", "")
    assert session.flux("kvs", "get", "--stream", "--raw", key) == (0, "123", "")
    with running(session, "get", "--watch", "--append", key) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "1\n"
        put(session, f"{key}=1")
        assert process.stderr.read() == f"flux-kvs: {key}: Invalid argument\n"


def test_ctrl_c_is_quiet(session: Session, key: str) -> None:
    put(session, f"{key}=1")
    with running(session, "get", "--watch", key) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGINT)
        assert (process.wait(), process.stderr.read()) == (130, "")


# -- namespaces --------------------------------------------------------------------------------------------------------


def test_namespaces_are_made_listed_and_removed(session: Session) -> None:
    assert session.flux("kvs", "namespace", "create", "one", "two", "-o", "1234") == (0, "", "")
    assert session.flux("kvs", "namespace", "create", "one") == (
        1,
        "",
        "flux-kvs: one: File exists\n",
    )
    listed = session.flux("kvs", "namespace", "list").out
    assert listed.startswith(NAMESPACES)
    assert f"{'one':<36} {'1234':>10} 0x00000000\n" in listed
    assert session.flux("kvs", "put", "-N", "two", "a=1").code == 0
    with running(session, "get", "-N", "two", "--watch", "a") as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "1\n"
        assert session.flux("kvs", "namespace", "remove", "one", "two", "never") == (0, "", "")
        assert process.stderr.read() == "flux-kvs: a: Operation not supported\n"
    assert session.flux("kvs", "namespace", "list").out.count("\n") == listed.count("\n") - 2
    assert session.flux("kvs", "dropcache") == session.flux("kvs", "dropcache", "--all") == (0, "", "")


# -- eventlogs ---------------------------------------------------------------------------------------------------------


def test_events_are_appended_and_shown(session: Session, key: str) -> None:
    assert session.flux("kvs", "eventlog", "append", "-t", "1", key, "begin") == (0, "", "")
    assert session.flux("kvs", "eventlog", "append", "-t", "2.5", key, "end", '{"n":1,', '"s":"x"}').code == 0
    assert session.flux("kvs", "eventlog", "get", key).out == '1.000000 begin\n2.500000 end n=1 s="x"\n'
    assert session.flux("kvs", "eventlog", "get", "-S", "-u", key).out == (
        '{"timestamp":1.0,"name":"begin"}\n{"timestamp":2.5,"name":"end","context":{"n":1,"s":"x"}}\n'
    )
    assert "[  +1.500000] end" in session.flux("kvs", "eventlog", "get", "-H", key).out
    assert "\033[33mend\033[0m" in session.flux("kvs", "eventlog", "get", "-L", key).out
    assert session.flux("kvs", "eventlog", "get", "--watch", "--count=1", key).out == "1.000000 begin\n"
    session.flux("kvs", "eventlog", "append", key, "now")
    last = session.flux("kvs", "eventlog", "get", "-u", key).out.splitlines()[-1]
    assert json.loads(last)["timestamp"] > 1e9


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("append t.key name {", "eventlog_entry_create: Invalid argument"),
        ("append t.key name 1", "eventlog_entry_create: Invalid argument"),
        ("append -t -1 t.key name", "eventlog_entry_create: Invalid argument"),
        ("get t.key", "flux_kvs_lookup_get: No such file or directory"),
        ("get t.text", "cannot decode improperly formatted eventlog"),
        ("get --watch t.text", "cannot decode improperly formatted eventlog"),
        ("wait-event t.key name", "eventlog path t.key not found"),
        ("wait-event -W -t 10ms t.key name", "wait-event timeout on event 'name'"),
        ("get -u -H t.key", "--unformatted goes neither with --human nor with --color=always"),
    ],
)
def test_what_goes_wrong_with_a_log_is_one_line(session: Session, key: str, words: str, said: str) -> None:
    put(session, "t.text=no log")
    assert session.flux("kvs", "eventlog", *words.split()) == (1, "", f"flux-kvs: {said}\n")


def test_an_event_is_waited_for(session: Session, key: str) -> None:
    with running(session, "eventlog", "wait-event", "-W", "-v", key, "end") as process:
        for number, name in enumerate(("begin", "end", "after"), 1):
            session.flux("kvs", "eventlog", "append", "-t", str(number), key, name)
        assert process.communicate() == ("1.000000 begin\n2.000000 end\n", "")
    assert session.flux("kvs", "eventlog", "wait-event", key, "end") == (0, "2.000000 end\n", "")
    assert session.flux("kvs", "eventlog", "wait-event", "-q", key, "end") == (0, "", "")


# -- from the first years ----------------------------------------------------------------------------------------------


def test_kinds_of_values_are_told(session: Session, key: str) -> None:
    values = ("null", "true", "1.5", "42", "text", '"text"', "[1]", '{"a":1}', "")
    put(session, *(f"t.v{number}={value}" for number, value in enumerate(values)))
    shown = session.flux("kvs", "type", *(f"t.v{number}" for number in range(len(values))))
    assert shown.out.split() == ["null", "boolean", "double", "int", "string", "string", "array", "object", "string"]
    assert session.flux("kvs", "type", "t.no") == (1, "", "flux-kvs: t.no: No such file or directory\n")


def test_whether_keys_exist_is_an_exit_code(session: Session, key: str) -> None:
    put(session, "t.a.b=1")
    assert session.flux("kvs", "exists", "t", "t.a", "t.a.b") == (0, "", "")
    assert session.flux("kvs", "exists", "t", "t.no") == (1, "", "")


def test_a_watch_goes_on_while_the_key_comes_and_goes(session: Session, key: str) -> None:
    with running(session, "watch", key) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "NULL\n"
        for value in ("1", '{"a":2}'):
            put(session, f"{key}={value}")
            assert process.stdout.readline() == f"{value}\n"
        session.flux("kvs", "unlink", "-R", "t")
        assert process.stdout.readline() == "NULL\n"
        put(session, f"{key}=3")
        assert process.stdout.readline() == "3\n"
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


def test_a_directory_is_shown_whenever_it_has_changed(session: Session, key: str) -> None:
    rule = "=" * 22 + "\n"
    with running(session, "watch-dir", "-r", "4", "t") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        for pair, count in (("t.a=1", 2), ("t.d.b=2", 3), ("t.d.b=3", 3)):
            put(session, pair)
            lines += [process.stdout.readline() for _ in range(count)]
        assert process.wait() == 0
    assert "".join(lines) == (
        f"t: No such file or directory\nt.a = 1\n{rule}t.a = 1\nt.d.b = 2\n{rule}t.a = 1\nt.d.b = 3\n{rule}"
    )


def test_files_are_copied_to_the_store_and_back(session: Session, key: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 8192
    (tmp_path / "in").write_bytes(data)
    assert session.flux("kvs", "copy-tokvs", key, str(tmp_path / "in")) == (0, "", "")
    assert session.flux("kvs", "copy-fromkvs", key, str(tmp_path / "out")) == (0, "", "")
    assert (tmp_path / "out").read_bytes() == data
    assert session.flux("kvs", "copy-tokvs", key, "-", stdin="text").code == 0
    assert session.flux("kvs", "copy-fromkvs", key, "-").out == "text"
    put(session, "t.other=1")
    said = "flux-kvs: t.other: not a file that was copied by copy-tokvs\n"
    assert session.flux("kvs", "copy-fromkvs", "t.other", "-") == (1, "", said)
