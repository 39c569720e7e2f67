"""What the tasks of one node write: whole lines, numbered here, kept until the client has them. Pure.

It cuts between characters as well, so that text stays text (RFC 24) however it was written."""

from collections import deque
from typing import Any, NamedTuple

from flux.base.iodata import begun, encode

LINE_MAX = 1 << 16
"""Bytes of an unfinished line that are held back; a longer line goes in pieces."""


class Chunk(NamedTuple):
    """A piece of output. Numbers begin with 1 and have no gaps."""

    number: int
    context: dict[str, Any]
    size: int


class Output:
    """The output of one node's tasks. `window` bytes may be under way; a node that is `full` should not read more."""

    def __init__(self, window: int, *, unbuffered: bool = False) -> None:
        self._window = window
        self._by_line = frozenset() if unbuffered else frozenset(("stdout",))
        self._held: dict[tuple[int, str], bytes] = {}
        self._sent: deque[Chunk] = deque()
        self._number = 0
        self._under_way = 0

    @property
    def full(self) -> bool:
        """Whether as much is under way as may be."""
        return self._under_way >= self._window

    @property
    def unacknowledged(self) -> list[Chunk]:
        """What would have to be sent again if it were lost, in order."""
        return list(self._sent)

    def take(self, task: int, stream: str, data: bytes) -> list[Chunk]:
        """A task wrote something; b"" is the end of the stream. Returns what is to be sent."""
        key = task, stream
        whole = self._held.pop(key, b"") + data
        cut = _cut(whole, stream in self._by_line) if data else len(whole)
        if cut < len(whole):
            self._held[key] = whole[cut:]
        pieces = [whole[:cut]] if cut else []
        return [self._chunk(task, stream, piece) for piece in (pieces if data else [*pieces, b""])]

    def acknowledge(self, number: int) -> bool:
        """The client has everything up to that number. Whether there is room again that there was not."""
        was_full = self.full
        while self._sent and self._sent[0].number <= number:
            self._under_way -= self._sent.popleft().size
        return was_full and not self.full

    def _chunk(self, task: int, stream: str, data: bytes) -> Chunk:
        self._number += 1
        chunk = Chunk(self._number, encode(stream, str(task), data), len(data))
        self._sent.append(chunk)
        self._under_way += chunk.size
        return chunk


def _cut(data: bytes, by_line: bool) -> int:
    """How much of it can go now: whole lines, or all but a character that has only begun."""
    if by_line:
        cut = data.rfind(b"\n") + 1
        if cut or len(data) < LINE_MAX:
            return cut
    return len(data) - begun(data)
