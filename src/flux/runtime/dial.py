"""From a URL to a connected link, in an event loop."""

import asyncio
import socket
from collections.abc import Callable

from flux.runtime.local import WORTH_ANOTHER_TRY, address, delays, refusal, unreachable
from flux.runtime.stream import StreamLink


async def dial(url: str | None, link: Callable[[], StreamLink]) -> StreamLink:
    """Connects to a broker, trying again for a moment, and waits until it lets us in. OSError says why not."""
    path = address(url)
    sock = socket.socket(socket.AF_UNIX)
    sock.setblocking(False)
    try:
        await _reach(sock, path)
        refused = refusal(await asyncio.get_running_loop().sock_recv(sock, 1), path)
        if refused is not None:
            raise refused
        _, connected = await asyncio.get_running_loop().create_unix_connection(link, sock=sock)
    except BaseException:
        sock.close()
        raise
    return connected


async def _reach(sock: socket.socket, path: str) -> None:
    """Connects. A unix socket does so at once or not at all; EAGAIN is a broker with too many at its door."""
    waits = iter(delays())
    while True:
        try:
            return sock.connect(path)
        except OSError as error:
            delay = next(waits, None)
            if delay is None or error.errno not in WORTH_ANOTHER_TRY:
                raise unreachable(error, path) from None
        await asyncio.sleep(delay)
