"""Streams in the key-value store for the tasks of one event loop; what is asked for, and errors, are `flux.stream`'s.

async with flux.aio.connect() as h:
    async with await Writer.open(h, "log") as out:
        await out.write(b"...")
    async for said in read(h, "log", follow=True):
        ...
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Self

from flux.aio.handle import Handle
from flux.base.streamlog import Fold, Said
from flux.stream.reading import Reading
from flux.stream.sending import Sending


class Writer:
    """As `flux.stream.Writer`; `open` makes one. For one task at a time."""

    def __init__(self, handle: Handle, sending: Sending) -> None:
        self.closed = False
        self._handle, self._sending = handle, sending
        self._answers = handle.stream("stream.open", sending.opening)

    @classmethod
    async def open(
        cls,
        handle: Handle,
        key: str,
        mode: str = "x",
        *,
        namespace: str | None = None,
        streams: Sequence[str] = ("stdout",),
        ranks: Any = 0,
        writers: int = 1,
    ) -> Self:
        """Opens a stream, as `flux.stream.Writer` does."""
        made = cls(handle, Sending(key, mode, namespace, streams, ranks, writers))
        await made._hear()
        return made

    async def write(self, data: bytes, stream: str | None = None, rank: Any = None) -> None:
        """Writes to a part, the first one unless said otherwise. Waits while too much is on its way."""
        for io in self._sending.pieces(data, stream, rank):
            await self._send(io)

    async def end(self, stream: str | None = None, rank: Any = None) -> None:
        """Ends one part, for a stream of several."""
        for io in self._sending.ends(stream, rank):
            await self._send(io)

    async def close(self, end: bool = True) -> None:
        """Returns when all that was written is in the key-value store. Without `end` others may go on later."""
        if self.closed:
            return
        for io in self._sending.ends() if end else self._sending.flush():
            await self._send(io)
        await self._send(None)
        self.closed = True
        async for answer in self._answers:
            self._sending.credit(answer)

    def abort(self) -> None:
        """Leaves it as a program does that dies: readers are told that something is missing."""
        if not self.closed:
            self.closed = True
            self._answers.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object, *_: object) -> None:
        if kind is None:
            await self.close()
        else:
            self.abort()

    async def _send(self, io: dict[str, Any] | None) -> None:
        while not self._sending.fits(io):
            await self._hear()
        message = self._sending.message(self._answers.request.matchtag, io)
        await self._handle.notify("stream.write", message)

    async def _hear(self) -> None:
        self._sending.credit(await anext(self._answers))


async def read(
    handle: Handle,
    key: str,
    *,
    namespace: str | None = None,
    follow: bool = False,
    wait: bool = False,
    tail: int | None = None,
    fold: Fold | None = None,
) -> AsyncGenerator[Said, None]:
    """Yields what is in a stream, as `flux.stream.Reader` does; `fold` knows then whether it has ended, and remarks.

    Who leaves the loop early closes it: `contextlib.aclosing`.
    """
    reading = Reading(key, namespace, follow, wait, tail)
    reading.fold = fold = fold or reading.fold
    async with handle.stream(Reading.topic, reading.payload) as answers:
        async for answer in answers:
            for said in reading.take(answer):
                yield said
            if fold.ended:
                return
            credit = reading.due()
            if credit:
                await handle.notify("kvs-watch.credit", {"matchtag": answers.request.matchtag, "size": credit})
    for said in reading.rest():
        yield said
