"""One writer of a log: what it owes, what it may send, and the order of what it sends. Pure."""

from collections.abc import Iterable, Iterator
from errno import EINVAL, ENOBUFS, EPROTO
from typing import Any, NamedTuple

from flux.base import iodata
from flux.base.idset import IDset

WINDOW = 2 << 20
"""Bytes that a writer may have under way: sent, and not yet in the key-value store."""

Part = tuple[str, str]
"""A stream, and the rank whose part of it is meant."""


class Write(NamedTuple):
    """Something that a writer has sent: an io object (RFC 24); None is its farewell."""

    context: dict[str, Any] | None
    size: int = 0


class Writer:
    """Numbers begin with 1. What comes too early, by another way than what was sent before it, is held back."""

    def __init__(self, streams: Iterable[str], ranks: IDset) -> None:
        self.owed: dict[Part, None] = {(stream, str(rank)): None for stream in streams for rank in ranks}
        """Whose end is to come from it."""
        self.parting = False
        """Whether it has said that it will send no more."""
        self.greeted = False
        """Whether it has its first credits."""
        self.under_way = 0
        self._early: dict[int, Write] = {}
        self._last = 0

    def receive(self, number: int, context: dict[str, Any] | None) -> Iterator[Write]:
        """Takes what was sent under that number; yields what is its turn now. OSError for what it may not send."""
        write = Write(context, 0 if context is None else iodata.size(context))
        self.under_way += write.size
        if self.under_way > WINDOW:
            raise OSError(ENOBUFS, f"more than {WINDOW >> 20} MiB were sent without waiting for credits")
        if number <= self._last or number in self._early:
            raise OSError(EPROTO, f"number {number} was sent twice")
        self._early[number] = write
        while (write := self._early.pop(self._last + 1, Write(None, -1))).size >= 0:
            self._last += 1
            self._check(write)
            yield write

    def _check(self, write: Write) -> None:
        if self.parting:
            raise OSError(EPROTO, "something was sent after the farewell")
        if write.context is None:
            self.parting = True
            return
        part = write.context["stream"], write.context.get("rank", "0")
        if part not in self.owed:
            raise OSError(EINVAL, f"stream {part[0]!s:.40} of rank {part[1]!s:.20} has ended, or is not this writer's")
        if write.context.get("eof"):
            del self.owed[part]
