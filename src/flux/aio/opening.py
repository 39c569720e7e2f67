"""Making a connection: where to, how often to try, and whether the broker lets us in."""

import asyncio
import socket
from collections.abc import Generator
from typing import Any

from flux.aio.handle import Handle
from flux.runtime.blocking import address, delays, refusal


def connect(url: str | None = None) -> "Opening":
    """Connects to a broker, without a `url` to the one of the session around us (FLUX_URI).

    `async with connect() as h:` closes it at the end; after `h = await connect()` the caller does. OSError says why
    there is no connection: FLUX_URI is not set, nobody listens at the path, the broker refuses.
    """
    return Opening(url)


class Opening:
    """A connection that is to be made: await it, or use it in `async with`."""

    def __init__(self, url: str | None) -> None:
        self._url = url

    def __await__(self) -> Generator[Any, None, Handle]:
        return _open(self._url).__await__()

    async def __aenter__(self) -> Handle:
        self._handle = await self
        return self._handle

    async def __aexit__(self, *_: object) -> None:
        await self._handle.close()


async def _open(url: str | None) -> Handle:
    path = address(url)
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    try:
        await _reach(sock, path)
        refused = refusal(await asyncio.get_running_loop().sock_recv(sock, 1), path)
        if refused is not None:
            raise refused
        handle = Handle()
        await asyncio.get_running_loop().create_unix_connection(lambda: handle.link, sock=sock)
    except BaseException:
        sock.close()
        raise
    return handle


async def _reach(sock: socket.socket, path: str) -> None:
    """Connects. A unix socket does so at once or not at all; EAGAIN is a broker with too many at its door."""
    waits = iter(delays())
    while True:
        try:
            return sock.connect(path)
        except OSError as error:
            delay = next(waits, None)
            if delay is None:
                raise OSError(error.errno, f"{path}: {error.strerror}") from None
        await asyncio.sleep(delay)
