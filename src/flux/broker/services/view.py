"""What somebody who traces messages is shown of one."""

from fnmatch import fnmatchcase
from os import strerror
from typing import Any

from flux.overlay.node import Node
from flux.overlay.router import SIGNS
from flux.wire.message import Control, Event, Message, Request, Response

TYPES: dict[type[Message], int] = {Request: 1, Response: 2, Event: 4, Control: 8}


class View:
    """Which messages somebody wants to see, and what of them."""

    def __init__(self, node: Node, typemask: int, glob: str, rank: int, full: bool, local: bool) -> None:
        self._node, self._mask, self._glob, self._rank = node, typemask, glob, rank
        self._full, self._local = full, local
        self.looking = False
        """Whether something is being shown just now."""

    def of(self, way: str, hop: bytes, msg: Message, wall: float) -> dict[str, Any] | None:
        """What is shown of a message; None if it is not wanted."""
        kind, topic = TYPES[type(msg)], getattr(msg, "topic", "-")
        rank = self._rank_of(hop)
        local = not hop and not isinstance(msg, Event)
        if not kind & self._mask or (local and not self._local) or self._rank not in (-1, rank):
            return None
        if not fnmatchcase(topic, self._glob) or topic.startswith("overlay.trace"):
            return None
        payload = msg.payload() if isinstance(msg, Request | Response | Event) else None
        seen = {"timestamp": wall, "prefix": way, "rank": rank, "type": kind, "topic": topic}
        seen["payload_size"] = len(payload or b"")
        errnum = msg.errnum if isinstance(msg, Response) else 0
        seen |= {"errnum": errnum, "errstr": ""}
        if self._full and isinstance(msg, Response) and errnum:
            seen["errstr"] = msg.text() or strerror(errnum)
        elif self._full and payload is not None and isinstance(msg, Request | Response | Event):
            seen["payload"] = _readable(msg)
        return seen

    def _rank_of(self, hop: bytes) -> int:
        """The rank of a neighbour; -1 for this broker itself, and for all children together."""
        node = self._node
        if hop in node.children:
            return node.children.rank(hop)
        if hop and hop == node.parent:
            return node.above.line[0].rank if node.above.line else -1
        uuid = hop.lstrip(SIGNS).decode("latin-1")
        return next((claim.rank for claim in node.above.line if claim.uuid == uuid), -1)


def _readable(msg: Request | Response | Event) -> Any:
    try:
        return msg.body()
    except OSError:
        return (msg.payload() or b"").decode("latin-1")
