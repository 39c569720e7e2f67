"""A writer's side of a stream: what it asks for, how it cuts what it writes, what it may send. It sends nothing."""

from collections.abc import Iterator, Sequence
from errno import EINVAL
from typing import Any

from flux.base import iodata
from flux.base.idset import IDset
from flux.base.iodata import Pieces
from flux.kvs.where import namespace_or_default

PIECE = 1 << 16
"""Bytes that are sent at once."""


class Sending:
    """One writer. A piece may be sent when it `fits`; pieces go in order, each once."""

    def __init__(
        self, key: str, mode: str, namespace: str | None, streams: Sequence[str], ranks: Any, writers: int
    ) -> None:
        self.ranks = str(IDset(ranks))
        self.streams = tuple(streams)
        where = {"key": key, "namespace": namespace_or_default(namespace), "mode": mode}
        self.opening = where | {"streams": self.streams, "ranks": self.ranks, "writers": writers}
        """The payload of stream.open."""
        self._credits = self._number = 0
        self._open = {(stream, str(rank)): Pieces(PIECE) for stream in streams for rank in IDset(ranks)}

    def credit(self, answer: dict[str, Any]) -> None:
        """The service has answered."""
        self._credits += answer["credits"]

    def fits(self, io: dict[str, Any] | None) -> bool:
        """Whether that can be sent now."""
        return io is None or iodata.size(io) <= self._credits

    def pieces(self, data: bytes, stream: str | None, rank: Any) -> Iterator[dict[str, Any]]:
        """What is to be sent of what somebody writes. OSError(EINVAL) if there is no such part, or not any more."""
        part = self._part(stream, rank)
        return (iodata.encode(*part, piece) for piece in self._open[part].feed(data))

    def ends(self, stream: str | None = None, rank: Any = None) -> list[dict[str, Any]]:
        """What is to be sent when a part ends, or all of them."""
        parts = list(self._open) if stream is None and rank is None else [self._part(stream, rank)]
        return [io for part in parts for io in (*self._rest(part), iodata.encode(*part, b""))]

    def flush(self) -> list[dict[str, Any]]:
        """What is to be sent when a writer leaves parts open."""
        return [io for part in self._open for io in self._rest(part)]

    def message(self, matchtag: int, io: dict[str, Any] | None) -> dict[str, Any]:
        """The payload of stream.write; None is the farewell."""
        self._number += 1
        if io is None:
            return {"matchtag": matchtag, "number": self._number}
        self._credits -= iodata.size(io)
        if io.get("eof"):
            self._open.pop((io["stream"], io["rank"]), None)
        return {"matchtag": matchtag, "number": self._number, "io": io}

    def _part(self, stream: str | None, rank: Any) -> tuple[str, str]:
        """The part that is meant: the first stream, and the first rank, unless said otherwise."""
        first = self.ranks.partition(",")[0].partition("-")[0]
        part = self.streams[0] if stream is None else stream, first if rank is None else str(rank)
        if part not in self._open:
            raise OSError(EINVAL, f"stream {part[0]} of rank {part[1]} has ended, or is not this writer's")
        return part

    def _rest(self, part: tuple[str, str]) -> list[dict[str, Any]]:
        rest = self._open[part].rest()
        return [iodata.encode(*part, rest)] if rest else []
