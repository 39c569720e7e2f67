"""Output that is kept as a stream (RFC 24) besides: what is sent of it, and what its source may forget. Pure.

A node may forget what both have, the client and the stream; so a slow one of them makes the tasks wait."""

from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from flux.base.iodata import encode, size

STREAMS = ("stdout", "stderr")


class Piece(NamedTuple):
    """An io object, and where it is from: a node, and its number there. None is the farewell."""

    io: dict[str, Any] | None
    size: int = 0
    node: int = 0
    number: int = 0


class Kept:
    """One job's stream. What is returned by most of this are the payloads of stream.write, without a matchtag."""

    def __init__(self, ntasks: int) -> None:
        self.begun = False
        """Whether the stream is open."""
        self._credits = self._number = self._covered = 0
        self._waiting: deque[Piece] = deque()
        self._under_way: deque[Piece] = deque()
        self._client: dict[int, int] = {}
        self._stored: dict[int, int] = {}
        self._open = {(stream, str(task)) for stream in STREAMS for task in range(ntasks)}

    def output(self, node: int, number: int, io: dict[str, Any]) -> list[dict[str, Any]]:
        """A task wrote something."""
        self._put(Piece(io, size(io), node, number))
        return self._go()

    def finish(self) -> list[dict[str, Any]]:
        """Nothing more will be written: tasks that are lost with their node have not said so."""
        for stream, task in sorted(self._open):
            self._put(Piece(encode(stream, task, b"")))
        self._put(Piece(None))
        return self._go()

    def credited(self, credits: int) -> list[dict[str, Any]]:
        """So much more may be sent; except for the first time, because so much has come to the key-value store."""
        self._credits += credits
        self._covered += credits if self.begun else 0
        self.begun = True
        while self._under_way and self._under_way[0].size <= self._covered:
            piece = self._under_way.popleft()
            self._covered -= piece.size
            self._stored[piece.node] = max(piece.number, self._stored.get(piece.node, 0))
        return self._go()

    def acknowledged(self, numbers: Mapping[str, int]) -> None:
        """The client has each node's output up to a number."""
        for text, number in numbers.items():
            if text.isdecimal():
                self._client[int(text)] = max(number, self._client.get(int(text), 0))

    @property
    def both(self) -> dict[str, int]:
        """Up to which number of each node the client has it, and the stream."""
        return {str(node): min(number, self._stored.get(node, 0)) for node, number in self._client.items()}

    @property
    def client(self) -> dict[str, int]:
        """Up to which number of each node the client has it."""
        return {str(node): number for node, number in self._client.items()}

    def _put(self, piece: Piece) -> None:
        if piece.io is not None and piece.io.get("eof"):
            self._open.discard((piece.io["stream"], piece.io["rank"]))
        self._waiting.append(piece)

    def _go(self) -> list[dict[str, Any]]:
        """What can be sent now."""
        messages: list[dict[str, Any]] = []
        while self._waiting and self._waiting[0].size <= self._credits:
            piece = self._waiting.popleft()
            self._under_way.append(piece)
            self._credits -= piece.size
            self._number += 1
            messages.append({"number": self._number} | ({"io": piece.io} if piece.io is not None else {}))
        return messages
