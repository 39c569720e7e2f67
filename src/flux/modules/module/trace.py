"""One request of module.trace: which messages it wants, and how they are described (RFC 5). Pure."""

from typing import Any

from flux.wire.match import Match, type_of
from flux.wire.message import ANY, STREAMING, Control, Letter, Message, Response, json_object, wire_payload


class Trace:
    """Chooses messages by module, type and topic."""

    def __init__(self, names: list[str], typemask: int, topic_glob: str, full: bool) -> None:
        self._names, self._full = frozenset(names), full
        self._match = Match(typemask, topic_glob)

    def wants(self, name: str, msg: Message) -> bool:
        """Whether to show that message; never what shows messages, or there would be no end of it."""
        return (not self._names or name in self._names) and not _shows(msg) and self._match.accepts(msg)

    def record(self, prefix: str, name: str, msg: Message, now: float) -> dict[str, Any]:
        """A message as module.trace answers it. `now` are seconds since 1970."""
        errnum = msg.errnum if isinstance(msg, Response) else 0
        data = msg.data if isinstance(msg, Letter) and not errnum else None
        made = {
            "timestamp": now,
            "prefix": prefix,
            "rank": ANY,
            "name": name,
            "type": type_of(msg),
            "topic": msg.topic if isinstance(msg, Letter) else _control(msg),
            "payload_size": len(wire_payload(data) or b""),
            "errnum": errnum,
            "errstr": msg.text() if self._full and isinstance(msg, Response) and errnum else "",
        }
        return made | {"payload": _json(data)} if self._full and data else made


def _shows(msg: Message) -> bool:
    """Whether a message belongs to a trace: a request for it, or what it answers, perhaps merged on its way."""
    if not isinstance(msg, Letter):
        return False
    merged = msg.topic == "multicast.call" and isinstance(msg, Response) and bool(msg.flags & STREAMING)
    return merged or msg.topic == "module.trace"


def _control(msg: Message) -> str:
    return f"{msg.type} {msg.status}" if isinstance(msg, Control) else ""


def _json(data: Any) -> Any:
    try:
        return json_object(data)
    except OSError:
        return None
