"""PMI-1: what recorded servers said is understood, and what we say is what they said."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.wire.message import BadMessage
from flux.wire.pmi import ANSWERS, Abort, Done, Enter, Lines, Refused, Reply, Server, answer, line, words

VECTORS = Path(__file__).parent.parent / "vectors"
DIALOGUES = {name: json.loads((VECTORS / f"pmi-{name}.json").read_text()) for name in ("hydra4", "hydra5", "slurm")}


def command(exchange: dict[str, str]) -> str:
    return words(exchange["client"].encode())["cmd"]


@pytest.mark.parametrize("name", DIALOGUES)
def test_every_answer_of_a_recorded_server_is_understood(name: str) -> None:
    for exchange in DIALOGUES[name]:
        if "nokey" in exchange["client"]:
            with pytest.raises(Refused):
                answer(command(exchange), exchange["server"].encode())
        else:
            assert answer(command(exchange), exchange["server"].encode())["cmd"] == ANSWERS[command(exchange)]


@pytest.mark.parametrize("name", DIALOGUES)
def test_our_server_gives_the_same_kind_of_answer_to_what_recorded_clients_asked(name: str) -> None:
    server = Server([0], 2, "job", {"PMI_process_mapping": "(vector,(0,1,2))", "k1": "hello"})
    for exchange in DIALOGUES[name]:
        actions: list[Any] = server.receive(0, exchange["client"].encode())
        if isinstance(actions[0], Enter):
            actions = server.release(actions[0].pairs)
        said, recorded = words(actions[0].line), words(exchange["server"].encode())
        assert said["cmd"] == recorded["cmd"]
        assert (said.get("rc", "0") == "0") == (recorded.get("rc", "0") == "0")
        assert (
            said.get("value") == recorded.get("value")
            or "nokey" in exchange["client"]
            or "mapping" in exchange["client"]
        )


def test_words_come_in_any_order_with_any_space_and_company() -> None:
    assert words(b"  key=a   kvsname=b=c cmd=get stray \r\n") == {"key": "a", "kvsname": "b=c", "cmd": "get"}


def test_a_value_reaches_to_the_end_of_the_line() -> None:
    assert words(b"rc=0 cmd=get_result value=a b  c=d ")["value"] == "a b  c=d "


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_fail_in_another_way(raw: bytes) -> None:
    for read in (words, lambda r: answer("get", r), Lines().feed, lambda r: Server([0], 1, "x").receive(0, r)):
        with suppress(BadMessage, Refused):
            read(raw)


@given(st.text(alphabet=st.characters(exclude_characters="\n\r"), max_size=50))
def test_any_value_comes_back_as_it_was_said(value: str) -> None:
    try:
        raw = line("put", kvsname="x", key="k", value=value)
    except UnicodeEncodeError:
        return
    assert words(raw)["value"] == value


def test_a_line_without_end_is_given_up() -> None:
    with pytest.raises(BadMessage):
        Lines().feed(b"x" * (1 << 17))


def test_lines_are_cut_however_they_arrive() -> None:
    lines = Lines()
    assert lines.feed(b"cmd=a\ncmd") == [b"cmd=a"]
    assert lines.feed(b"=b") == []
    assert lines.feed(b"\n\n") == [b"cmd=b", b""]


def test_a_barrier_opens_when_the_last_has_come_and_carries_what_was_put() -> None:
    server = Server([4, 5], 8, "job")
    server.receive(4, b"cmd=put kvsname=job key=a value=1")
    assert server.receive(4, b"cmd=barrier_in") == []
    assert server.receive(5, b"cmd=barrier_in") == [Enter({"a": "1"})]
    assert server.release({"a": "1", "b": "2"}) == [Reply(r, b"cmd=barrier_out rc=0\n") for r in (4, 5)]
    assert server.receive(5, b"cmd=get kvsname=job key=b") == [Reply(5, b"cmd=get_result rc=0 value=2\n")]
    assert server.receive(4, b"cmd=barrier_in") == []
    assert server.receive(5, b"cmd=barrier_in") == [Enter({})]


def test_the_limits_are_kept() -> None:
    server = Server([0], 1, "job")
    assert server.receive(0, b"cmd=put kvsname=job key=" + b"k" * 64 + b" value=1") == [
        Reply(0, b"cmd=put_result rc=5\n")
    ]
    assert server.receive(0, b"cmd=put kvsname=job key=k value=" + b"v" * 1024) == [Reply(0, b"cmd=put_result rc=7\n")]
    assert server.receive(0, b"cmd=put kvsname=job key=k value=" + b"v" * 1023) == [Reply(0, b"cmd=put_result rc=0\n")]


def test_spawn_and_names_are_refused_not_ignored() -> None:
    server = Server([0], 1, "job")
    assert server.receive(0, b"mcmd=spawn") == []
    assert server.receive(0, b"execname=x") == []
    assert server.receive(0, b"endcmd") == [Reply(0, b"cmd=spawn_result rc=-1\n")]
    assert server.receive(0, b"cmd=lookup_name service=x") == [
        Reply(0, b"cmd=lookup_result rc=-1 msg=not_implemented\n")
    ]
    assert server.receive(0, b"cmd=whatever") == [Reply(0, b"cmd=whatever_result rc=-1 msg=not_implemented\n")]


def test_abort_is_understood_in_all_its_forms() -> None:
    server = Server([0], 1, "job")
    assert server.receive(0, b"cmd=abort exitcode=7") == [Abort(0, 7, "")]
    assert server.receive(0, b"cmd=abort exit_code=3 error_msg=out of luck") == [Abort(0, 3, "out of luck")]
    assert server.receive(0, b"cmd=abort") == [Abort(0, 1, "")]


def test_finalize_is_acknowledged_and_told() -> None:
    server = Server([0], 1, "job")
    assert server.receive(0, b"cmd=finalize") == [Reply(0, b"cmd=finalize_ack rc=0\n"), Done(0)]
    assert server.finalized == {0}


def test_version_2_is_refused() -> None:
    assert Server([0], 1, "job").receive(0, b"cmd=init pmi_version=2 pmi_subversion=0") == [
        Reply(0, b"cmd=response_to_init rc=-1 msg=only_PMI-1\n")
    ]
