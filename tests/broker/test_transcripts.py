"""What flux-core's clients said to its broker, said to ours: the same messages come back.

Times, uuids and routes, user ids, host names, rootref and rootseq differ from one session to another."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flux.wire.framing import Unpacker, pack
from flux.wire.match import type_of
from flux.wire.message import Event, Letter, Message, Request, Response
from tests.broker.raw import RawClient
from tests.session import Session

TRANSCRIPTS = Path(__file__).parents[1] / "vectors" / "transcripts"
ACCEPTED = "00"
OWN = ("route", "userid", "owner", "rootref", "rootseq")
"""Keys whose values are another session's own."""


def messages(records: list[dict[str, Any]]) -> Iterator[tuple[str, Message]]:
    """Who said what, in order."""
    unpackers = {"client": Unpacker(), "broker": Unpacker()}
    for record in records:
        if record["hex"] != ACCEPTED:
            for msg in unpackers[record["from"]].feed(bytes.fromhex(record["hex"])):
                yield record["from"], msg


def shape(msg: Message, asked: Request | None) -> dict[str, Any]:
    """What must be the same."""
    assert isinstance(msg, Letter)
    of: dict[str, Any] = {"type": type_of(msg), "flags": msg.flags, "topic": msg.topic, "rolemask": msg.rolemask}
    if isinstance(msg, Response):
        of |= {"errnum": msg.errnum, "matchtag": msg.matchtag, "route": len(msg.route)}
        if msg.errnum:
            return of  # the text is ours
    of["payload"] = None if msg.data is None else {k: v for k, v in msg.body().items() if k not in OWN}
    if asked is not None and asked.topic == "attr.get" and asked.body()["name"] == "hostlist":
        of["payload"]["value"] = "hosts"
    return of


def replay(session: Session, name: str) -> None:
    """Says what the client said, and compares what the broker says."""
    asked: dict[int, Request] = {}
    with RawClient(session.uri) as client:
        for who, expected in messages(json.loads((TRANSCRIPTS / f"{name}.json").read_text())["stream"]):
            if who == "client":
                client.socket.sendall(pack(expected))
                if isinstance(expected, Request):
                    asked[expected.matchtag] = expected
                continue
            request = asked[expected.matchtag] if isinstance(expected, Response) else None
            assert shape(client.next(), request) == shape(expected, request)


@pytest.mark.parametrize("name", ["ping", "ping-rank3", "getattr", "unknown-service", "kvs-get-missing", "kvs-getroot"])
def test_what_was_said_is_answered_as_it_was(session: Session, name: str) -> None:
    replay(session, name)


def test_what_was_put_is_there(session: Session) -> None:
    replay(session, "kvs-put")
    replay(session, "kvs-get")
    replay(session, "kvs-watch")


@pytest.mark.parametrize("name", ["kvs-append", "kvs-mkdir-link", "kvs-ns"])
def test_what_is_changed_is_answered_as_it_was(session: Session, name: str) -> None:
    replay(session, name)


def test_what_was_put_is_listed(session: Session) -> None:
    session.flux("kvs", "unlink", "-Rf", "a")
    replay(session, "kvs-put")
    replay(session, "kvs-ls")


def test_an_event_that_was_published_is_heard(session: Session) -> None:
    with RawClient(session.uri, rank=3) as listener:
        assert listener.rpc("event.subscribe", {"topic": "foo"}).errnum == 0
        replay(session, "event-pub")
        heard = listener.next()
        assert isinstance(heard, Event)
        assert (heard.topic, heard.body()) == ("foo.bar", {"x": 42})


def test_bytes_that_come_one_by_one_are_the_same_to_a_broker(session: Session) -> None:
    stream = json.loads((TRANSCRIPTS / "getattr.json").read_text())["stream"]
    said = b"".join(bytes.fromhex(record["hex"]) for record in stream if record["from"] == "client")
    with RawClient(session.uri) as client:
        for byte in said:
            client.socket.sendall(bytes((byte,)))
        assert client.next().body() == {"value": "4", "flags": 1}
