"""A log that is being written: what its writers send, in batches that become one append each. Pure.

Appends come the more seldom the more there are: each has a new copy made of the list of all that came before, so that
this list costs the key-value store about a megabyte a second at most, however long a log gets."""

from collections import deque
from collections.abc import Mapping
from errno import EEXIST
from typing import Any, NamedTuple

from flux.base import streamlog
from flux.base.streamlog import Fold
from flux.modules.stream.writer import Part, Write, Writer

PAUSE = 50e-6
"""Seconds between two appends for each that there has been: a reference is about 50 bytes."""
BATCH, ENOUGH = 1 << 20, 1 << 18
"""Bytes of data in an append at most, and so many that it need not wait."""


class Entry(NamedTuple):
    """A line that is to be appended, and of whose data it is. `farewell`: nothing follows of that writer."""

    line: bytes
    size: int = 0
    writer: Writer | None = None
    farewell: bool = False


class Batch(NamedTuple):
    """What is appended at once. `first` makes the log."""

    lines: bytes
    size: int
    first: bool
    credits: dict[Writer, int]
    """Whose data it is, and how much."""
    parted: list[Writer]
    """Whose last data it is."""

    @property
    def lazy(self) -> bool:
        """Whether nobody waits for it."""
        return self.size < ENOUGH and not self.first and not self.parted


class Log:
    """A log from when somebody writes to it to when nobody does any more."""

    def __init__(self) -> None:
        self.writers: list[Writer] = []
        self.busy = False
        """Whether an append is on its way."""
        self._missing: dict[str, int] = {}
        """Ends that are to come, by stream."""
        self._pending: deque[Entry] = deque()
        self._size = self._appends = 0
        self._first = False
        self._last = 0.0

    @property
    def new(self) -> bool:
        """Whether it is still to be made."""
        return not self._missing

    @property
    def over(self) -> bool:
        """Whether nobody writes to it, and all that was written is there."""
        return not (self.writers or self._pending or self.busy)

    # -- who writes -------------------------------------------------------------------------------------------------

    def begin(self, writer: Writer, counts: Mapping[str, int], wall: float) -> None:
        """Makes it, with this writer."""
        self._missing, self._first = dict(counts), True
        self._put(Entry(streamlog.header(wall, counts), 0, writer))
        self.writers.append(writer)

    def resume(self, fold: Fold, appends: int) -> None:
        """It is there already."""
        self._missing = {stream: count - fold.ends[stream] for stream, count in fold.counts.items()}
        self._appends = appends

    def join(self, writer: Writer) -> None:
        """Somebody else writes, too. OSError(EEXIST) if that cannot be."""
        for stream in dict.fromkeys(stream for stream, _ in writer.owed):
            if stream not in self._missing:
                raise OSError(EEXIST, f"the stream has no {stream!s:.40}")
            if self._missing[stream] <= 0:
                raise OSError(EEXIST, "the stream has ended")
        self.writers.append(writer)
        self._put(Entry(b"", 0, writer))

    def leave(self, writer: Writer, wall: float, why: str) -> None:
        """A writer is gone without a farewell."""
        if writer in self.writers:
            self.writers.remove(writer)
            if not writer.parting:
                self._put(Entry(streamlog.remark(wall, why)))
                for part in writer.owed:
                    self._end(writer, part, wall)

    # -- what is written --------------------------------------------------------------------------------------------

    def write(self, writer: Writer, write: Write, wall: float) -> None:
        """A writer has sent something."""
        context = write.context
        if context is None:
            self.writers.remove(writer)
            self._put(Entry(b"", 0, writer, farewell=True))
            return
        if context.get("eof"):
            self._end(writer, (context["stream"], context.get("rank", "0")), wall, context, write.size)
        else:
            self._put(Entry(streamlog.line(wall, "data", context), write.size, writer))

    def _end(
        self, writer: Writer, part: Part, wall: float, context: Mapping[str, Any] | None = None, size: int = 0
    ) -> None:
        """A part of a stream has ended. The stream's last end is that of the last who could write to it."""
        stream, rank = part
        others = any(stream == other for one in self.writers if one is not writer for other, _ in one.owed)
        last = self._missing[stream] <= 1 and others
        if not last:
            self._missing[stream] -= 1
        if not last or size:
            made = dict(context or {"stream": stream, "rank": rank, "eof": True}) | {"eof": not last}
            self._put(Entry(streamlog.line(wall, "data", made), size, writer if context is not None else None))

    # -- appends ----------------------------------------------------------------------------------------------------

    def due(self, now: float) -> float | None:
        """Seconds until the next append is to be made; None if none is, for now."""
        if self.busy or not self._pending:
            return None
        if self._size >= ENOUGH or self._first:
            return 0.0
        return max(0.0, self._last + self._appends * PAUSE - now)

    def take(self) -> Batch:
        """Takes the next append."""
        entries: list[Entry] = []
        size, first, self._first = 0, self._first, False
        while self._pending and (not entries or size + self._pending[0].size <= BATCH):
            entries.append(self._pending.popleft())
            size += entries[-1].size
        self._size -= size
        self.busy = True
        credits: dict[Writer, int] = {}
        for entry in entries:
            if entry.writer is not None:
                credits[entry.writer] = credits.get(entry.writer, 0) + entry.size
        parted = [entry.writer for entry in entries if entry.farewell and entry.writer is not None]
        return Batch(b"".join(entry.line for entry in entries), size, first, credits, parted)

    def appended(self, batch: Batch, now: float) -> None:
        """It is done."""
        self.busy = False
        self._last = now
        self._appends += bool(batch.lines)
        for writer, count in batch.credits.items():
            writer.under_way -= count

    def waiting(self) -> set[Writer]:
        """Who waits for something to be appended, or may write more."""
        return {*self.writers, *(entry.writer for entry in self._pending if entry.writer is not None)}

    def _put(self, entry: Entry) -> None:
        self._pending.append(entry)
        self._size += entry.size
