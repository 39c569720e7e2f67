"""What module.trace shows of messages."""

from errno import ENOENT
from typing import Any

import pytest

from flux.modules.module.trace import Trace
from flux.wire.match import EVENT, RESPONSE
from flux.wire.message import STREAMING, Control, Event, Message, Request, Response


def record(msg: Message, full: bool = False) -> dict[str, Any]:
    return Trace([], 0, "*", full).record("rx", "kvs", msg, 12.5)


def test_a_message_is_described_by_todays_keys() -> None:
    assert record(Request(topic="kvs.get", data={"a": 1})) == {
        "timestamp": 12.5,
        "prefix": "rx",
        "rank": 0xFFFFFFFF,
        "name": "kvs",
        "type": 1,
        "topic": "kvs.get",
        "payload_size": 8,
        "errnum": 0,
        "errstr": "",
    }


def test_payloads_and_error_texts_come_with_full() -> None:
    assert record(Event(topic="e", data={"a": 1}), full=True)["payload"] == {"a": 1}
    assert record(Event(topic="e", data=b"raw"), full=True)["payload"] is None
    failed = Response(topic="t", errnum=ENOENT, data=b"not there\0")
    assert record(failed)["errstr"] == ""
    shown = record(failed, full=True)
    assert (shown["errnum"], shown["errstr"], shown["payload_size"]) == (ENOENT, "not there", 0)
    assert record(Control(type=1, status=2))["topic"] == "1 2"


@pytest.mark.parametrize(
    ("trace", "name", "msg", "wanted"),
    [
        (Trace([], 0, "*", False), "kvs", Request(topic="a"), True),
        (Trace(["kvs"], 0, "*", False), "log", Request(topic="a"), False),
        (Trace(["kvs", "log"], 0, "*", False), "log", Request(topic="a"), True),
        (Trace([], EVENT | RESPONSE, "*", False), "kvs", Request(topic="a"), False),
        (Trace([], EVENT | RESPONSE, "*", False), "kvs", Event(topic="a"), True),
        (Trace([], 0, "kvs.*", False), "kvs", Event(topic="kvs.a"), True),
        (Trace([], 0, "kvs.*", False), "kvs", Event(topic="log.a"), False),
        (Trace([], 0, "*", False), "module", Response(topic="module.trace"), False),
        (Trace([], 0, "*", False), "multicast", Response(flags=STREAMING, topic="multicast.call"), False),
        (Trace([], 0, "*", False), "multicast", Response(topic="multicast.call"), True),
    ],
)
def test_only_what_is_wanted_is_shown_and_never_the_trace_itself(
    trace: Trace, name: str, msg: Message, wanted: bool
) -> None:
    assert trace.wants(name, msg) == wanted
