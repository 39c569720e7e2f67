"""What the tasks of one node write: whole lines, numbered here, kept until the client has them. Pure.

A context is what RFC 24 says: {stream rank data? encoding? eof?}. Data that is not UTF-8 travels as base64."""

from base64 import b64decode, b64encode
from collections import deque
from typing import Any, NamedTuple

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

    def take(self, task: int, stream: str, data: bytes) -> Chunk | None:
        """A task wrote something; b"" is the end of the stream. Returns what is to be sent, if anything."""
        key = task, stream
        whole = self._held.pop(key, b"") + data
        if data:
            cut = _cut(whole, stream in self._by_line)
            if cut < len(whole):
                self._held[key] = whole[cut:]
            whole = whole[:cut]
            if not whole:
                return None
        return self._chunk(context(stream, task, whole, eof=not data), len(whole))

    def acknowledge(self, number: int) -> bool:
        """The client has everything up to that number. Whether there is room again that there was not."""
        was_full = self.full
        while self._sent and self._sent[0].number <= number:
            self._under_way -= self._sent.popleft().size
        return was_full and not self.full

    def _chunk(self, what: dict[str, Any], size: int) -> Chunk:
        self._number += 1
        chunk = Chunk(self._number, what, size)
        self._sent.append(chunk)
        self._under_way += size
        return chunk


def context(stream: str, task: int | str, data: bytes, *, eof: bool = False) -> dict[str, Any]:
    """Makes a data context."""
    made: dict[str, Any] = {"stream": stream, "rank": str(task)}
    if data:
        try:
            made["data"] = data.decode()
        except UnicodeDecodeError:
            made["data"], made["encoding"] = b64encode(data).decode(), "base64"
    if eof:
        made["eof"] = True
    return made


def data_of(what: dict[str, Any]) -> bytes:
    """Reads the data of a context. ValueError if it is not what its encoding says."""
    data: str = what.get("data", "")
    return b64decode(data, validate=True) if what.get("encoding") == "base64" else data.encode()


def _cut(data: bytes, by_line: bool) -> int:
    """How much of it can go now: whole lines, or all but a character that has only begun."""
    if by_line:
        cut = data.rfind(b"\n") + 1
        if cut or len(data) < LINE_MAX:
            return cut
    return len(data) - _begun(data)


def _begun(data: bytes) -> int:
    """Bytes at the end that are the beginning of a UTF-8 character."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
        if byte < 0x80:
            return 0
    return 0
