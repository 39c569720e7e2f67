"""A connection that is to be made."""

from collections.abc import Generator
from typing import Any

from flux.aio.handle import Handle
from flux.runtime.dial import dial


def connect(url: str | None = None) -> "Opening":
    """Connects to a broker, without a `url` to the one of the session around us (FLUX_URI).

    `async with connect() as h:` closes it at the end; after `h = await connect()` the caller does. OSError says why
    there is no connection: FLUX_URI is not set, nobody listens at the path, the broker refuses.
    """
    return Opening(url)


class Opening:
    """Await it, or use it in `async with`."""

    def __init__(self, url: str | None) -> None:
        self._url = url

    def __await__(self) -> Generator[Any, None, Handle]:
        return self._open().__await__()

    async def __aenter__(self) -> Handle:
        self._handle = await self._open()
        return self._handle

    async def __aexit__(self, *_: object) -> None:
        await self._handle.close()

    async def _open(self) -> Handle:
        handle = Handle()
        await dial(self._url, lambda: handle.link)
        return handle
