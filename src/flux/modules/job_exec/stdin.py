"""What a job's tasks read, as it comes from who is attached: kept until they can take it. Pure."""

from collections import deque
from typing import Any, NamedTuple

from flux.base.invalid import Invalid
from flux.base.iodata import decode, encode, size

WINDOW = 16 << 20
"""Bytes that may wait; who sends more is refused."""


class Piece(NamedTuple):
    """What was written, and what it is answered by when the tasks have it."""

    io: dict[str, Any]
    size: int
    answer: Any


class Stdin:
    """That of one job."""

    def __init__(self) -> None:
        self._credits = 0
        self._begun = False
        """Whether there are tasks to read: before, they are granted nothing."""
        self._pieces: deque[Piece] = deque()
        self._waiting = 0
        self.ended = False

    def put(self, io: dict[str, Any], answer: Any) -> None:
        """Somebody writes a data context (RFC 24). Raises Invalid; OSError(EPROTO) if it makes no sense."""
        piece = decode({"stream": "stdin", "rank": "all", **io})
        if self.ended:
            raise Invalid("stdin was closed")
        if self._waiting + len(piece.data) > WINDOW:
            raise Invalid(f"more than {WINDOW} bytes of stdin wait to be read")
        self.ended = piece.end
        made = encode("stdin", "all", piece.data)
        if piece.data and piece.end:
            made["eof"] = True
        self._waiting += len(piece.data)
        self._pieces.append(Piece(made, size(made), answer))

    def credit(self, credits: int) -> None:
        """The tasks can take so many bytes more."""
        self._credits += credits
        self._begun = True

    def go(self) -> list[Piece]:
        """What they can take now."""
        gone: list[Piece] = []
        while self._pieces and self._begun and (self._credits > 0 or not self._pieces[0].size):
            piece = self._pieces.popleft()
            self._credits -= piece.size
            self._waiting -= piece.size
            gone.append(piece)
        return gone

    def left(self) -> list[Piece]:
        """What they will never take: they have ended."""
        left, self._pieces = list(self._pieces), deque()
        self.ended = True
        return left
