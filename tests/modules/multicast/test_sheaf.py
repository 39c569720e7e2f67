"""Answers bound together: equal ones share an entry, what one rank says keeps its order."""

import json
from errno import ENOENT, EPROTO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base.gathered import Gathered
from flux.base.idset import IDset
from flux.modules.multicast.sheaf import Sheaf, json_of


def taken(sheaf: Sheaf) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(sheaf.take()[:-1])
    return body


def test_equal_answers_and_errors_share_an_entry() -> None:
    sheaf = Sheaf()
    for rank in (0, 1, 3):
        sheaf.answer(IDset(rank), b'{"a":1}')
    sheaf.answer(IDset(2), b'{"a":2}')
    sheaf.fail(IDset(7), ENOENT, "no")
    sheaf.fail(IDset(6), ENOENT, "no")
    sheaf.fail(IDset(5), ENOENT, "nothing")
    assert taken(sheaf) == {
        "answers": [["0-1,3", {"a": 1}], ["2", {"a": 2}]],
        "errors": [["5", ENOENT, "nothing"], ["6-7", ENOENT, "no"]],
        "ended": "",
    }
    assert not sheaf


def test_a_sheaf_takes_in_what_another_broker_took() -> None:
    below, here = Sheaf(), Sheaf()
    below.answer(IDset("3-4"), b"null")
    below.fail(IDset(5), ENOENT)
    below.end(IDset("6-7"))
    here.answer(IDset(0), b"null")
    share = here.bind(below.take())
    assert (str(share.answered), str(share.failed), str(share.ended)) == ("3-4", "5", "6-7")
    assert taken(here) == {"answers": [["0,3-4", None]], "errors": [["5", ENOENT, ""]], "ended": "6-7"}


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([b"1", b"2", b"3"])), max_size=30), st.integers(1, 5))
def test_what_a_rank_says_keeps_its_order(said: list[tuple[int, bytes]], hop: int) -> None:
    """However answers are bound together on one broker, and then on the next."""
    lower, upper = Sheaf(), Sheaf()
    for number, (rank, word) in enumerate(said):
        lower.answer(IDset(rank), word)
        if number % hop == 0:
            upper.bind(lower.take())
    upper.bind(lower.take())
    heard: dict[int, list[bytes]] = {}
    for reply in Gathered.read(taken(upper)).answers:
        for rank in reply.ranks:
            heard.setdefault(rank, []).append(str(reply.payload).encode())
    spoken: dict[int, list[bytes]] = {}
    for rank, word in said:
        spoken.setdefault(rank, []).append(word)
    assert heard == spoken


@pytest.mark.parametrize("nonsense", [b"", b"{}x", b'{"answers": 3}\0', b'{"errors": [["0-x", 1, ""]]}', b"\xff", None])
def test_what_no_broker_answers_is_refused(nonsense: bytes | None) -> None:
    with pytest.raises(OSError) as refused:
        Sheaf().bind(nonsense)
    assert refused.value.errno == EPROTO


def test_payloads_are_carried_as_json_whatever_they_are() -> None:
    assert json_of(None) == json_of(b"") == json_of(b"\0") == b"null"
    assert json_of({"a": 1}) == json_of(b'{"a":1}\0') == b'{"a":1}'
    assert json_of(b"<6>1 a line\0") == b'"<6>1 a line"'
    for bad in (b"{", b"\xff\xfe"):
        with pytest.raises(OSError, match="neither JSON nor text"):
            json_of(bad)


def test_gathered_names_who_refused() -> None:
    body = {"answers": [["0-1", {"a": 1}]], "errors": [["2", ENOENT, "no"], ["3-4", EPROTO, "nonsense"]], "ended": ""}
    gathered = Gathered.read(body)
    assert gathered.by_rank() == {0: {"a": 1}, 1: {"a": 1}}
    with pytest.raises(FileNotFoundError, match="rank 2: no; ranks 3-4: nonsense"):
        gathered.check()
    assert Gathered.read(body | {"errors": []}).check().errors == []
