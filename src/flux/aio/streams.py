"""Answers and events for `async for`. Who stops listening, in whatever way, has the sender told."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from errno import ENOBUFS, ENODATA
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from flux.aio.flow import Flow
from flux.message import Message
from flux.rpc import failure
from flux.wire.message import Data, Event, Request, Response
from flux.wire.payload import decode_item

if TYPE_CHECKING:
    from flux.aio.handle import Handle

T = TypeVar("T")

ENOUGH, TOO_MUCH = 1 << 20, 64 << 20
"""Bytes that were not taken yet at which the connection is not read for now, and at which a loop is ended."""
EACH = 256
"""Bytes that an item takes besides its payload."""


def settle(future: "asyncio.Future[T]", value: T) -> None:
    """Sets a result unless nobody waits for it any more."""
    if not future.done():
        future.set_result(value)


class Feed(Generic[T]):
    """What has come and was not taken yet. The connection knows the feed, so that whoever listens can be let go."""

    def __init__(self, flow: Flow) -> None:
        self.ended = False
        self.dropped: Callable[[], None] = lambda: None
        """Called when it is ended because too much was not taken."""
        self.flow = flow
        self._items: deque[tuple[T, int]] = deque()
        self._held = 0
        self._error: OSError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def put(self, item: T, data: Data) -> None:
        """Adds the next item, whose payload is that."""
        if self.ended:
            return
        size = EACH + (len(data) if isinstance(data, bytes) else 0)
        self._items.append((item, size))
        self._held += size
        if self._held > TOO_MUCH:
            self.end(OSError(ENOBUFS, f"{self._held >> 20} MiB came that were not taken"))
            self.dropped()
        elif self._held > ENOUGH >= self._held - size:
            self.flow.fill(self)
        self._wake()

    def end(self, error: OSError | None = None) -> None:
        """There will be no more. What has come can still be taken."""
        if not self.ended:
            self.ended, self._error = True, error
            self.flow.drain(self)
            self._wake()

    async def take(self) -> T:
        """Waits for the next item; at the end raises StopAsyncIteration, or the error that was the end."""
        while not self._items:
            if self.ended:
                raise self._error or StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            with self.flow.waiting():
                await self._waiter
        item, size = self._items.popleft()
        self._held -= size
        if self._held <= ENOUGH < self._held + size:
            self.flow.drain(self)
        return item

    def _wake(self) -> None:
        if self._waiter is not None:
            settle(self._waiter, None)


class Answers(Feed[Response]):
    """The feed of a streaming request."""

    def answered(self, response: Response) -> None:
        """Takes the next answer."""
        if response.errnum == ENODATA:
            self.end()
        elif response.errnum:
            self.end(failure(response))
        else:
            self.put(response, response.data)


class News(Feed[Message]):
    """The feed of a subscription."""

    def __init__(self, flow: Flow, prefix: str) -> None:
        super().__init__(flow)
        self.prefix = prefix
        self.subscribed: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()

    def answered(self, response: Response) -> None:
        """The broker has taken note, or refuses."""
        error = failure(response) if response.errnum else None
        settle(self.subscribed, error)
        if error is not None:
            self.end(error)

    def heard(self, event: Event) -> None:
        """An event came, perhaps one of ours."""
        if event.topic.startswith(self.prefix):
            self.put(Message(handle=event), event.data)


class Listener(Generic[T]):
    """Who takes from a feed."""

    def __init__(self, feed: Feed[T]) -> None:
        self._feed = feed

    def __aiter__(self) -> Self:
        return self

    async def _next(self) -> T:
        try:
            return await self._feed.take()
        except asyncio.CancelledError:
            self.close()
            raise

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def aclose(self) -> None:
        """As `close`, for contextlib.aclosing."""
        self.close()

    def close(self) -> None:
        """Wants no more."""
        if not self._feed.ended:
            self._feed.end()
            self._leave()

    def __del__(self) -> None:
        with suppress(Exception):  # the loop may be closed already, and the connection with it
            self.close()

    def _leave(self) -> None:
        raise NotImplementedError


class Stream(Listener[Response]):
    """The answers to one streaming request: dicts, or text where a service sends no JSON objects (a log's lines)."""

    def __init__(self, handle: "Handle", request: Request, answers: Answers) -> None:
        super().__init__(answers)
        self._handle, self.request = handle, request

    async def __aenter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        return decode_item((await self._next()).data)

    def _leave(self) -> None:
        self._handle.end_stream(self.request)


class Events(Listener[Message]):
    """The events of one subscription, in order."""

    def __init__(self, handle: "Handle", news: News) -> None:
        super().__init__(news)
        self._handle, self._news = handle, news

    async def __aenter__(self) -> Self:
        with self._news.flow.waiting():
            error = await asyncio.shield(self._news.subscribed)
        if error is not None:
            raise error
        return self

    async def __anext__(self) -> Message:
        return await self._next()

    def _leave(self) -> None:
        self._handle.unsubscribe(self._news)
