"""The requests that a service has made and that wait for an answer: matchtags, futures, streams."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from errno import ENODATA
from os import strerror
from typing import Any

from flux.wire.message import Response

Told = Callable[[Response], object]


def failure(response: Response) -> OSError:
    """The refusal that an error response carries."""
    return OSError(response.errnum, response.text() or strerror(response.errnum))


class Requests:
    """Open requests by matchtag."""

    __slots__ = ("_last", "_open")

    def __init__(self) -> None:
        self._open: dict[int, Told] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def open(self, told: Told) -> int:
        """Takes a matchtag for a request whose responses `told` will get."""
        self._last = tag = self._last % 0xFFFFFFF0 + 1
        self._open[tag] = told
        return tag

    def forget(self, tag: int) -> None:
        """Wants no more of that request's answers."""
        self._open.pop(tag, None)

    def receive(self, response: Response) -> None:
        """Hands a response to who waits for it."""
        tag = response.matchtag
        told = self._open.pop(tag, None) if response.final else self._open.get(tag)
        if told is not None:
            told(response)

    def fail(self, errnum: int, text: str) -> None:
        """Answers everything that is still open with an error."""
        while self._open:
            tag, told = self._open.popitem()
            told(Response(errnum=errnum, data=text.encode() + b"\0", matchtag=tag))


class Stream:
    """The answers to one streaming request, in order: iterate, or `cancel` before the end."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        self._answers: deque[Response] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._cancel = cancel
        self._over = False

    def receive(self, response: Response) -> None:
        """Takes the next answer."""
        if self._over:
            return
        self._answers.append(response)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def responses(self) -> AsyncIterator[Response]:
        """Yields each answer until the stream ends; raises OSError when it ends in an error."""
        try:
            while (response := await self._next()) is not None:
                yield response
        finally:
            self._stop()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        try:
            while (response := await self._next()) is not None:
                yield response.body()
        finally:
            self._stop()

    def cancel(self) -> None:
        """Asks the service to end the stream; it ends with ENODATA or ECANCELED."""
        self._cancel()

    async def _next(self) -> Response | None:
        while not self._answers:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        response = self._answers.popleft()
        if not response.errnum:
            return response
        self._over = True
        if response.errnum == ENODATA:
            return None
        raise failure(response)

    def _stop(self) -> None:
        """Nobody listens any more: has the service told, unless it was the one to end."""
        if not self._over:
            self._over = True
            self._answers.clear()
            self._cancel()
