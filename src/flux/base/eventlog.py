"""Eventlogs (RFC 18): events with a name, a time and perhaps a context, one line of JSON each."""

from errno import EINVAL
from typing import Any, TypeAlias

import msgspec

from flux.base.invalid import Invalid

Entry: TypeAlias = dict[str, Any]

_decode = msgspec.json.Decoder().decode


def entry(timestamp: float, name: str, context: Any = None) -> Entry:
    """An event. Raises EINVAL for what cannot be one."""
    made: Entry = {"timestamp": float(timestamp), "name": name}
    return checked(made if context is None else made | {"context": context})


def checked(event: Any) -> Entry:
    """Returns what it is given if that is an event. Raises EINVAL."""
    good = isinstance(event, dict) and isinstance(event.get("name"), str) and event["name"] != ""
    good = good and type(event.get("timestamp")) in (int, float) and event["timestamp"] >= 0
    if not good or not isinstance(event.get("context", {}), dict):
        raise Invalid("not an event: a name and a timestamp are needed, a context is an object")
    found: Entry = event
    return found


def encode(event: Entry) -> str:
    """The line of an event."""
    from json import dumps  # who only reads logs does without

    return dumps(event, separators=(",", ":"), ensure_ascii=False) + "\n"


def decode(text: str | bytes) -> list[Entry]:
    """The events of a log, or of what was appended to one. Raises EINVAL for anything else."""
    data = text.encode() if isinstance(text, str) else text
    if data and not data.endswith(b"\n"):
        raise OSError(EINVAL, "an event has no end of line")
    return [_read(line) for line in data.split(b"\n")[:-1]]


def _read(line: bytes) -> Entry:
    try:
        return checked(_decode(line))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise Invalid("an event is not JSON") from None
