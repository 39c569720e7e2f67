"""One client: what it hears, whom it has to say goodbye to, what it may answer."""

from collections.abc import Callable
from errno import EMFILE

import pytest

from flux.modules.api import client as client_module
from flux.modules.api.client import Client
from flux.wire.message import (
    ANY,
    LOCAL,
    NORESPONSE,
    OWNER,
    PRIVATE,
    STREAMING,
    UPSTREAM,
    USER,
    Event,
    Request,
    end_of_stream,
    respond,
)


def owner() -> Client:
    return Client(b"hop", 1000, OWNER | LOCAL)


def guest() -> Client:
    return Client(b"hop", 2000, USER | LOCAL)


def test_it_hears_what_begins_with_what_it_subscribed_to() -> None:
    client = owner()
    assert not client.hears(Event(topic="kvs.setroot"))
    client.subscribe("kvs.")
    assert client.hears(Event(topic="kvs.setroot"))
    assert not client.hears(Event(topic="kv"))


def test_subscriptions_are_counted() -> None:
    client = owner()
    client.subscribe("a")
    client.subscribe("a")
    client.subscribe("b")
    assert client.subscriptions == ["a", "a", "b"]
    assert client.unsubscribe("a")
    assert client.hears(Event(topic="a"))
    assert client.unsubscribe("a")
    assert not client.unsubscribe("a")
    assert client.subscriptions == ["b"]


def test_a_private_event_is_for_the_owner_and_who_sent_it() -> None:
    private = Event(2000, USER, PRIVATE, "a")
    others = Event(3000, USER, PRIVATE, "a")
    for client, hears_its_own, hears_others in ((owner(), True, True), (guest(), True, False)):
        client.subscribe("")
        assert (client.hears(private), client.hears(others)) == (hears_its_own, hears_others)


def test_it_says_goodbye_once_to_every_service_and_rank_that_it_has_talked_to() -> None:
    client = owner()
    for topic, nodeid, flags in (
        ("kvs.commit", ANY, 0),
        ("kvs.lookup", ANY, STREAMING),
        ("kvs.lookup", 3, 0),
        ("groups.join", 2, UPSTREAM),
    ):
        client.contacted(Request(topic=topic, nodeid=nodeid, flags=flags))
    assert [(bye.topic, bye.nodeid, bye.flags, bye.userid, bye.rolemask) for bye in client.farewells()] == [
        ("groups.disconnect", 2, NORESPONSE | UPSTREAM, 1000, OWNER | LOCAL),
        ("kvs.disconnect", 3, NORESPONSE, 1000, OWNER | LOCAL),
        ("kvs.disconnect", ANY, NORESPONSE, 1000, OWNER | LOCAL),
    ]


def test_a_guest_answers_what_it_was_asked_and_nothing_else() -> None:
    client = guest()
    asked = Request(topic="2000-mine.a", matchtag=3, route=(b"somebody",))
    stream = Request(topic="2000-mine.b", matchtag=4, route=(b"somebody",), flags=STREAMING)
    client.asked(asked)
    client.asked(stream)
    assert not client.may_answer(respond(Request(topic="kvs.get", matchtag=9, route=(b"somebody",))))
    assert client.may_answer(respond(asked))
    assert not client.may_answer(respond(asked))
    assert client.may_answer(respond(stream, more=True))
    assert client.may_answer(end_of_stream(stream))
    assert not client.may_answer(respond(stream, more=True))


def test_a_guest_owes_nothing_to_who_has_left() -> None:
    client = guest()
    left = Request(topic="2000-mine.a", matchtag=3, route=(b"broker", b"left"))
    stays = Request(topic="2000-mine.a", matchtag=3, route=(b"broker", b"stays"))
    client.asked(left)
    client.asked(stays)
    client.asked(Request(topic="2000-mine.disconnect", flags=NORESPONSE, route=(b"broker", b"left")))
    assert not client.may_answer(respond(left))
    assert client.may_answer(respond(stays))


def test_an_owners_answers_are_its_own_business() -> None:
    assert owner().may_answer(respond(Request(topic="a.b", matchtag=9, route=(b"somebody",))))


def test_what_is_kept_for_a_connection_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MOST", 3)
    client = owner()
    for n in range(3):
        client.subscribe("a")
        client.serve(f"s{n}")
        client.contacted(Request(topic="kvs.get", nodeid=n))
    client.contacted(Request(topic="kvs.put", nodeid=2))
    too_many: list[Callable[[], None]] = [
        lambda: client.subscribe("a"),
        lambda: client.serve("s3"),
        lambda: client.contacted(Request(topic="kvs.get", nodeid=3)),
    ]
    for more in too_many:
        with pytest.raises(OSError, match="this connection has 3 ") as refused:
            more()
        assert refused.value.errno == EMFILE
    assert client.unsubscribe("a")
    client.subscribe("b")
