"""Requests that wait for an answer: what a lost hop still owes is refused, and nothing is kept for who is gone."""

from errno import EHOSTUNREACH

from flux.overlay.pending import Pending
from flux.wire.message import NORESPONSE, STREAMING, Request, Response, end_of_stream, respond

PEER = b"peer"


def asked(tag: int = 1, *, sender: bytes = b"me", topic: str = "a.b", flags: int = 0) -> Request:
    return Request(topic=topic, matchtag=tag, flags=flags, route=(b"hop", sender), userid=7, rolemask=1)


def pending(*requests: Request) -> Pending:
    made = Pending()
    made.watch(PEER)
    for request in requests:
        made.sent(PEER, request)
    return made


def test_what_a_lost_hop_owes_is_refused() -> None:
    refused = pending(asked(1), asked(2, topic="c.d")).lost(PEER, EHOSTUNREACH)
    assert [(r.topic, r.matchtag, r.errnum, r.route, r.userid) for r in refused] == [
        ("a.b", 1, EHOSTUNREACH, (b"hop", b"me"), 7),
        ("c.d", 2, EHOSTUNREACH, (b"hop", b"me"), 7),
    ]


def test_what_was_answered_is_not_owed() -> None:
    owed = pending(asked(1), asked(2))
    assert owed.answered(PEER, respond(asked(1)))
    assert owed.count(PEER) == 1
    assert [r.matchtag for r in owed.lost(PEER, EHOSTUNREACH)] == [2]


def test_a_second_answer_is_one_that_nobody_waits_for() -> None:
    owed = pending(asked(1))
    assert owed.answered(PEER, respond(asked(1)))
    assert not owed.answered(PEER, respond(asked(1)))


def test_an_answer_to_somebody_else_is_one_that_nobody_waits_for() -> None:
    owed = pending(asked(1))
    assert not owed.answered(PEER, respond(asked(1, sender=b"you")))
    assert not owed.answered(PEER, respond(asked(9)))
    assert owed.count(PEER) == 1


def test_a_stream_is_owed_until_its_last_answer() -> None:
    request = asked(1, flags=STREAMING)
    owed = pending(request)
    for _ in range(3):
        assert owed.answered(PEER, respond(request, more=True))
        assert owed.count(PEER) == 1
    assert owed.answered(PEER, end_of_stream(request))
    assert owed.count(PEER) == 0


def test_a_refused_stream_is_told_that_it_was_one() -> None:
    (refused,) = pending(asked(1, flags=STREAMING)).lost(PEER, EHOSTUNREACH)
    assert refused.flags & STREAMING
    assert refused.final


def test_who_wants_no_answer_is_owed_none() -> None:
    assert pending(asked(0, flags=NORESPONSE)).count(PEER) == 0


def test_answers_without_a_matchtag_pass_as_they_cannot_be_told_apart() -> None:
    owed = pending(asked(0), asked(0))
    assert owed.answered(PEER, respond(asked(0)))
    assert owed.answered(PEER, respond(asked(0)))
    assert owed.count(PEER) == 0


def test_a_hop_that_is_not_watched_owes_nothing_and_may_answer() -> None:
    owed = Pending()
    owed.sent(PEER, asked())
    assert owed.count(PEER) == 0
    assert owed.answered(PEER, Response(matchtag=1, route=(b"me",)))
    assert owed.lost(PEER, EHOSTUNREACH) == []


def test_a_lost_hop_is_forgotten() -> None:
    owed = pending(asked())
    owed.lost(PEER, EHOSTUNREACH)
    owed.sent(PEER, asked())
    assert owed.lost(PEER, EHOSTUNREACH) == []


def test_a_sender_that_is_gone_waits_for_nothing() -> None:
    owed = pending(asked(1), Request(topic="a.b", matchtag=2, route=(b"me",)), asked(3, topic="c.d"))
    owed.forget(b"me")
    assert [r.matchtag for r in owed.lost(PEER, EHOSTUNREACH)] == [1, 3]


def test_nothing_is_waited_for_that_has_to_go_back_where_nothing_gets_through() -> None:
    far = Request(topic="a.b", matchtag=4, route=(b"near", b"far", b"you"))
    another_way = Request(topic="a.b", matchtag=5, route=(b"near", b"other", b"far", b"you"))
    owed = pending(asked(1), far, another_way)
    owed.forget_way(b"near", b"far")
    assert [r.matchtag for r in owed.lost(PEER, EHOSTUNREACH)] == [1, 5]


def test_who_leaves_a_service_is_forgotten_only_on_the_way_that_it_takes() -> None:
    other_way = Request(topic="a.b", matchtag=3, route=(b"another", b"me"))
    owed = pending(asked(1), other_way, asked(2, topic="c.d"))
    owed.withdrawn(PEER, (b"hop", b"me"), "a")
    owed.withdrawn(b"elsewhere", (b"hop", b"me"), "c")
    assert [r.matchtag for r in owed.lost(PEER, EHOSTUNREACH)] == [3, 2]


def test_it_is_known_who_owes_an_answer() -> None:
    owed = pending(asked(1))
    assert owed.holder((b"hop", b"me"), 1) == PEER
    assert owed.holder((b"hop", b"me"), 2) is None


def test_payloads_are_not_kept() -> None:
    request = asked()
    request.data = b"x" * 1000
    owed = pending(request)
    (refused,) = owed.lost(PEER, EHOSTUNREACH)
    assert refused.data is None
