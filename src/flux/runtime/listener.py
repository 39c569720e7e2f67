"""The unix socket on which a broker's clients connect."""

import asyncio
import os
import stat
from collections.abc import Callable
from errno import EADDRINUSE, ENAMETOOLONG

from flux.runtime.brisk import Vigil
from flux.runtime.linux import peer_credentials
from flux.runtime.stream import StreamLink
from flux.wire.message import Message

Received = Callable[[StreamLink, Message], None]
Lost = Callable[[StreamLink, str], None]

LONGEST_PATH = 107
"""Bytes that a unix socket's path may have."""


class Listener:
    """A bound socket; everybody may connect, who is let in is decided by the peer's user id."""

    def __init__(self, server: asyncio.Server, path: str) -> None:
        self._server, self._path = server, path

    async def close(self) -> None:
        """Takes no more connections, and removes the socket."""
        self._server.close()
        remove_socket(self._path)


class _Accepted(StreamLink):
    """A connection that says who is at its other end before the first message, and keeps a vigil for the next."""

    def __init__(
        self, connected: Callable[[StreamLink, int, int], None], received: Received, lost: Lost, vigil: Vigil
    ) -> None:
        super().__init__(received, lost)
        self._connected = connected
        self._came = vigil.came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        super().connection_made(transport)
        _, uid, _ = peer_credentials(self.socket)
        self._connected(self, uid, os.getuid())

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        super().data_received(data)
        self._came()


async def listen(
    path: str, connected: Callable[[StreamLink, int, int], None], received: Received, lost: Lost
) -> Listener:
    """Binds to `path`; `connected` gets each link with its peer's user id and ours."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise OSError(ENAMETOOLONG, f"{path}: longer than the {LONGEST_PATH} bytes of a socket's path")
    remove_socket(path)
    loop = asyncio.get_running_loop()
    vigil = Vigil(loop)
    try:
        server = await loop.create_unix_server(lambda: _Accepted(connected, received, lost, vigil), path, backlog=512)
    except OSError as error:
        raise OSError(error.errno, f"{path}: {os.strerror(error.errno or 0)}") from None
    os.chmod(path, 0o777)
    return Listener(server, path)


def remove_socket(path: str) -> None:
    """Removes a socket that a dead broker left. OSError(EADDRINUSE) if something else has that name."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise OSError(EADDRINUSE, f"{path}: exists and is not a socket")
    os.unlink(path)
