"""A ZeroMQ socket in an asyncio loop: tells when there is something to read, never blocks, never misses an edge."""

import asyncio
from collections.abc import Callable

import zmq

SLICE = 200
"""Messages that are read in one turn of the loop before others get theirs."""


class Reader:
    """Calls `read` with each multi-part message of a socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: zmq.Socket[bytes], read: Callable[[list[bytes]], None]):
        self._loop, self._socket, self._read = loop, socket, read
        self._fd = int(socket.getsockopt(zmq.FD))
        self._again: asyncio.Handle | None = None
        self._closed = False
        loop.add_reader(self._fd, self._drain)
        self.poke()

    def poke(self) -> None:
        """Looks at the end of this turn: after a send, ZeroMQ's descriptor may keep silent about what came in."""
        if self._again is None and not self._closed:
            self._again = self._loop.call_soon(self._drain)

    def close(self) -> None:
        """Reads no more, and closes the socket."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._fd)
            if self._again is not None:
                self._again.cancel()
            self._socket.close()

    def _drain(self) -> None:
        self._again = None
        recv, more = self._socket.recv, self._socket.getsockopt
        for _ in range(SLICE):
            if self._closed:
                return
            try:
                parts = [recv(zmq.NOBLOCK)]
            except zmq.Again:
                return
            while more(zmq.RCVMORE):
                parts.append(recv())
            self._read(parts)
        self.poke()
