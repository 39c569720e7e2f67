"""The brokers directly below: who is taken in, and what is gone with them."""

from errno import EAGAIN, EHOSTUNREACH, EINVAL, ELOOP, ESHUTDOWN

import pytest

from flux.overlay.children import Children
from flux.overlay.notices import Gone, Joined
from flux.overlay.peers import HELLO, PROTOCOL, Hello
from flux.overlay.router import Router
from flux.overlay.routes import Claim
from flux.wire.message import BadMessage, Request, Response

LINK = b"uuid-3"


def children(rank: int = 1, *, admitting: bool = True) -> Children:
    made = Children(rank, 8, Router(rank))
    made.admit(admitting)
    return made


def hello(rank: int = 3, uuid: str = "uuid-3", protocol: int = PROTOCOL, below: tuple[int, ...] = ()) -> Hello:
    claims = [Claim(rank, uuid, 1), *(Claim(other, f"uuid-{other}", 1) for other in below)]
    return Hello(rank, uuid, protocol, 0, claims)


def said(what: Hello) -> Request:
    return Request(topic=HELLO, data=what.payload(), matchtag=1)


def objection(
    made: Children, what: Hello, link: bytes = LINK, line: frozenset[int] = frozenset(), settled: bool = True
) -> tuple[int, str] | None:
    refusal = made.objection(said(what), link, line, settled)
    return (refusal.errnum, refusal.text()) if refusal else None


def test_a_broker_of_this_session_is_taken_in() -> None:
    assert objection(children(), hello()) is None


def test_after_shutdown_began_nobody_is_taken_in() -> None:
    assert objection(children(admitting=False), hello()) == (ESHUTDOWN, "rank 1 is shutting down")


def test_another_protocol_is_refused() -> None:
    assert objection(children(), hello(protocol=9)) == (EINVAL, "overlay protocol 9, expected 2")


def test_a_hello_in_the_name_of_another_broker_is_refused() -> None:
    assert objection(children(), hello(), b"uuid-4") == (EINVAL, "rank 3 says hello under another broker's address")


@pytest.mark.parametrize("rank", [-1, 0, 1, 8, 100])
def test_a_rank_that_cannot_be_below_is_refused(rank: int) -> None:
    assert objection(children(), hello(rank)) == (EINVAL, f"rank {rank} cannot be below rank 1")


@pytest.mark.parametrize("data", [None, {}, {"rank": "3"}, {**hello().payload(), "claims": [[1, 2, 3]]}, b"\xff\0"])
def test_a_hello_that_is_none_is_a_bad_message(data: bytes | dict[str, object] | None) -> None:
    with pytest.raises(BadMessage):
        children().objection(Request(topic=HELLO, data=data, matchtag=1), LINK, set(), True)


def test_a_child_brings_the_ranks_below_it() -> None:
    made = children()
    news, joined = made.add(LINK, hello(below=(6, 7)))
    assert joined == Joined(LINK, (3, 6, 7))
    assert [claim.rank for claim in news] == [3, 6, 7]
    assert LINK in made and len(made) == 1 and made.ranks == [3] and list(made) == [LINK]


def test_with_a_child_go_the_ranks_below_it_and_what_it_owed() -> None:
    router = Router(1)
    made = Children(1, 8, router)
    made.add(LINK, hello(below=(6, 7)))
    router.request(Request(topic="a.b", nodeid=7, matchtag=1), b"me")
    refusals, (claims, _), gone = made.lost(LINK, "connection lost")
    assert gone == Gone((3, 6, 7), (LINK,), "connection lost")
    assert [claim.rank for claim in claims] == [3, 6, 7]
    ((hop, refusal),) = refusals
    assert isinstance(refusal, Response)
    assert (hop, refusal.errnum) == (b"me", EHOSTUNREACH)
    assert LINK not in made


def test_who_is_no_child_is_no_loss() -> None:
    assert children().lost(LINK, "connection lost") == ([], ([], []), None)


def test_who_comes_too_early_waits_and_who_leaves_meanwhile_is_forgotten() -> None:
    made = Children(1, 8, Router(1))
    assert made.admitting is None
    made.wait(LINK, said(hello()))
    made.wait(b"uuid-4", said(hello(4, "uuid-4")))
    made.lost(LINK, "connection lost")
    assert [link for link, _ in made.admit(True)] == [b"uuid-4"]
    assert made.admit(True) == []


def test_a_withdrawal_of_nothing_changes_nothing() -> None:
    made = children()
    made.add(LINK, hello())
    assert made.withdraw(LINK, [Claim(7, "uuid-7", 1)]) == ([], [])


def test_who_looks_for_a_parent_itself_takes_nobody_in() -> None:
    refusal = objection(children(), hello(), settled=False)
    assert refusal == (EAGAIN, "rank 1 is looking for a parent itself")


def test_who_is_above_cannot_be_below() -> None:
    assert objection(children(), hello(), line=frozenset({0, 3})) == (ELOOP, "rank 3 is above rank 1")
