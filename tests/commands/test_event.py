"""`flux event` in a session."""

from collections.abc import Iterator
from typing import Any

import pytest

from flux.commands import event
from flux.core.handle import Flux
from flux.message import Message
from tests.session import Session
from tests.session import session as new_session


@pytest.fixture
def listener(session: Session) -> Iterator[Flux]:
    """A handle that hears the events of the tests."""
    with Flux(session.uri) as handle:
        handle.event_subscribe("t.")
        yield handle


@pytest.mark.parametrize(
    ("words", "data"),
    [
        ([], None),
        (['{"x":', "1}"], b'{"x": 1}\0'),
        (["--raw", "not", "json"], b"not json"),
        (["--private", "{}"], b"{}\0"),
        (["--loopback", '{"x":1}'], b'{"x":1}\0'),
    ],
)
def test_pub_publishes(session: Session, listener: Flux, words: list[str], data: bytes | None) -> None:
    options, payload = [w for w in words if w.startswith("--")], [w for w in words if not w.startswith("--")]
    assert session.flux("event", "pub", *options, "t.a", *payload) == (0, "", "")
    heard: Any = listener.event_recv()
    assert (heard.topic, heard.handle.payload()) == ("t.a", data)


def test_pub_synchronously_shows_the_number(session: Session, listener: Flux) -> None:
    first, second = (session.flux("event", "pub", "--synchronous", "t.a", '{"x":1}').out for _ in range(2))
    assert int(first.removeprefix("seq=")) < int(second.removeprefix("seq="))
    heard: Any = listener.event_recv()
    assert heard.payload == {"x": 1}


@pytest.mark.parametrize("text", ["{", "[1]", "7", "x"])
def test_pub_refuses_what_is_no_json_object(session: Session, text: str) -> None:
    done = session.flux("event", "pub", "t.a", text)
    assert done == (1, "", f"flux-event: payload: not a JSON object: {text}\n")


def test_sub_shows_events_until_it_has_enough() -> None:
    with new_session(1, "-S", "heartbeat.period=50ms") as session:
        assert session.flux("event", "sub", "--count", "3", "heartbeat.") == (0, "heartbeat.pulse\t\n" * 3, "")
        assert session.flux("event", "sub", "-c1") == (0, "heartbeat.pulse\t\n", "")


@pytest.mark.parametrize(
    ("payload", "line"),
    [(None, "t\t"), ({"x": 1}, 't\t{"x":1}'), (b"raw\x00\x01", "t\traw.."), ("ü\n", "t\tü."), (b"\xff", "t\t.")],
)
def test_sub_shows_any_payload_on_one_line(payload: object, line: str) -> None:
    assert event.line(Message.from_event_encode("t", payload)) == line


def test_control_c_ends_sub(session: Session) -> None:
    with session.popen("-v", "event", "sub") as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(2)
        _, err = running.communicate()
    assert (running.returncode, err) == (130, "")
