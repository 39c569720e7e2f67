"""What a program passes as a topic and a payload, as they are sent, and back: as lenient as today's bindings."""

from errno import EINVAL
from typing import Any

from flux.wire.message import Data, Letter, json_object, wire_payload


def encode_payload(payload: Any) -> bytes | None:
    """Bytes go as they are; text and what JSON can carry get the NUL of RFC 3; None is no payload."""
    if payload is None or type(payload) is bytes:
        return payload
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogateescape") + b"\0"
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    try:
        return wire_payload(payload)
    except (TypeError, UnicodeEncodeError):
        # Subclasses of int and str, and text that was once undecodable bytes: the standard library takes them.
        from json import dumps

        return dumps(payload, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\0"


def decode_payload(data: Data) -> Any:
    """The value of a JSON payload, None without a payload. OSError(EPROTO) for what is not JSON."""
    if data is None or data == b"":
        return None
    try:
        return json_object(data)
    except OSError as error:
        # Not an object, or not strict JSON (NaN, half a surrogate pair): the standard library takes it.
        from json import loads

        try:
            return loads(decode_text(data) or "")
        except (ValueError, RecursionError):
            raise error from None


def decode_item(data: Data) -> Any:
    """One answer of a stream: a JSON object as a dict, other text (a log line) as it is, None without a payload."""
    if isinstance(data, bytes) and not data.startswith(b"{"):
        return decode_text(data)
    return decode_payload(data)


def decode_text(data: Data) -> str | None:
    """A payload as text, None without a payload."""
    raw = Letter(data=data).payload()
    if raw is None:
        return None
    return (raw[:-1] if raw.endswith(b"\0") else raw).decode("utf-8", "surrogateescape")


def topic_text(topic: Any) -> str:
    """Takes a topic as text or as bytes. OSError(EINVAL) for None, TypeError for anything else."""
    if isinstance(topic, str):
        return topic
    if isinstance(topic, bytes):
        return topic.decode()
    if topic is None:
        raise OSError(EINVAL, "Topic must not be None/NULL")
    raise TypeError(EINVAL, f"Topic must be a string, not {type(topic)}")
