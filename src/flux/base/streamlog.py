"""Streams as logs of events (RFC 24): a header, then data of named streams by rank, and the end of each. Pure.

A stream ends when as many ends have come as its header says; a log does when all of its streams have."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from flux.base import eventlog
from flux.base.idset import IDset
from flux.base.invalid import Invalid
from flux.base.iodata import decode

LOG_ERR = 3
"""Levels of remarks (syslog's) up to this one say that something is missing."""

_encode = msgspec.json.Encoder().encode


class Said(NamedTuple):
    """Some bytes of a stream, its end (of this rank), or both."""

    time: float
    stream: str
    rank: str
    data: bytes
    end: bool


def header(timestamp: float, counts: Mapping[str, int], options: Mapping[str, Any] | None = None) -> bytes:
    """The first line of a log: how many ends are to come of each stream."""
    encoding = dict.fromkeys(counts, "UTF-8")
    context = {"version": 1, "encoding": encoding, "count": dict(counts), "options": dict(options or {})}
    return line(timestamp, "header", context)


def line(timestamp: float, name: str, context: Mapping[str, Any]) -> bytes:
    """An event: `data` with an io object (flux.base.iodata), say."""
    return _encode({"timestamp": timestamp, "name": name, "context": context}) + b"\n"


def remark(timestamp: float, message: str, level: int = LOG_ERR) -> bytes:
    """A line that tells readers about the log itself."""
    return line(timestamp, "log", {"level": level, "message": message})


class Fold:
    """What is known of a log that has been read so far."""

    def __init__(self) -> None:
        self.begun = 0.0
        """When it began; 0 before its header."""
        self.counts: dict[str, int] = {}
        """Ends that are to come, by stream."""
        self.ends: dict[str, int] = {}
        """Ends that have come."""
        self.remarks: list[str] = []
        """What is wrong with it."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is to come."""
        return bool(self.counts) and all(self.ends[stream] >= count for stream, count in self.counts.items())

    def feed(self, lines: bytes) -> list[Said]:
        """Takes whole lines; returns the data that is in them. Raises EINVAL for what is no such log."""
        try:
            return [said for event in eventlog.decode(lines) if (said := self._take(event)) is not None]
        except OSError as error:
            raise Invalid(f"not a stream (RFC 24): {error.strerror}") from None

    def _take(self, event: eventlog.Entry) -> Said | None:
        name, context = event["name"], event.get("context", {})
        if not self.begun and name != "header":
            raise Invalid("it has no header")
        match name:
            case "header":
                self._begin(event["timestamp"], context)
            case "data":
                return self._data(event["timestamp"], context)
            case "log" if context.get("level", LOG_ERR) <= LOG_ERR:
                self.remarks.append(str(context.get("message", "")))
        return None

    def _begin(self, timestamp: float, context: dict[str, Any]) -> None:
        counts = context.get("count")
        if not isinstance(counts, dict) or not all(type(count) is int for count in counts.values()):
            raise Invalid("its header has no count")
        self.begun, self.counts, self.ends = timestamp or 1.0, counts, dict.fromkeys(counts, 0)

    def _data(self, timestamp: float, context: dict[str, Any]) -> Said:
        piece, rank = decode(context), str(context.get("rank", "0"))
        if piece.end and piece.stream in self.ends:
            self.ends[piece.stream] += self._many(piece.stream, rank)
        return Said(timestamp, piece.stream, rank, piece.data, piece.end)

    def _many(self, stream: str, rank: str) -> int:
        """How many ranks are meant."""
        if rank.isdecimal():
            return 1
        return self.counts[stream] if rank == "all" else len(IDset(rank))


class Tail:
    """The last lines of what comes, up to a number of lines and of bytes."""

    def __init__(self, lines: int, most: int = 1 << 20) -> None:
        self._lines, self._most = lines, most
        self._kept: list[Said] = []
        self._held = 0

    def put(self, said: Said) -> None:
        """Takes the next data."""
        if not said.data:
            return
        self._kept.append(said)
        self._held += len(said.data)
        if self._held > 2 * self._most:
            self._kept = self.last()
            self._held = sum(len(kept.data) for kept in self._kept)

    def last(self) -> list[Said]:
        """The last lines; one that has no end yet is one."""
        found: list[Said] = []
        kept = self._kept if self._lines else []
        ends, room = self._lines + (bool(kept) and kept[-1].data.endswith(b"\n")), self._most
        for said in reversed(kept):
            count = said.data.count(b"\n")
            start = _after(said.data, ends) if count >= ends else 0
            data = said.data[max(start, len(said.data) - room) :]
            ends, room = ends - count, room - len(data)
            if data:
                found.append(said._replace(data=data))
            if ends <= 0 or not room:
                break
        return found[::-1]


def _after(data: bytes, ends: int) -> int:
    """Where it goes on after the end of a line, which is the so-manieth from the back."""
    at = len(data)
    for _ in range(ends):
        at = data.rfind(b"\n", 0, at)
    return at + 1
