"""What ZeroMQ tells about the connections of a socket: one ended, a key was refused, a stranger called."""

import asyncio
from collections.abc import Callable
from struct import Struct

import zmq

from flux.runtime.zsocket import Reader

_event = Struct("=Hi")
_BAD_HANDSHAKE = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


GRACE = 0.5
"""Seconds that a newcomer has to shake hands when somebody leaves, until it is taken for who left."""


class Monitor:
    """Follows a socket until it is closed. `told` gets each event's number."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, socket: zmq.Socket[bytes], events: int, told: Callable[[int], None]
    ) -> None:
        self._socket = socket
        self._reader = Reader(loop, socket.get_monitor_socket(events), lambda parts: told(_event.unpack(parts[0])[0]))

    def close(self) -> None:
        """Follows it no more. To be called before that socket is closed."""
        # In this order: an event that nobody can read any more would block ZeroMQ's thread, and so our end.
        self._socket.disable_monitor()
        self._reader.close()


class Doorkeeper:
    """Follows a socket that is bound: who leaves, and who came and never spoke our protocol.

    Nothing says which connection it is that ended. So they are counted: one that ends while there is one that has not
    shaken hands yet, and does not a moment later, is taken for that one, and for a neighbour's all the same.
    """

    EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | _BAD_HANDSHAKE

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        socket: zmq.Socket[bytes],
        left: Callable[[], None],
        stranger: Callable[[], None],
    ) -> None:
        self._left, self._stranger = left, stranger
        self._loop, self._closed = loop, False
        self._new = self._failed = 0
        self._monitor = Monitor(loop, socket, self.EVENTS, self._told)

    def close(self) -> None:
        """Follows it no more."""
        self._closed = True
        self._monitor.close()

    def _told(self, event: int) -> None:
        if event == zmq.EVENT_ACCEPTED:
            self._new += 1
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._new -= 1
        elif event & _BAD_HANDSHAKE:
            self._new, self._failed = self._new - 1, self._failed + 1
            self._stranger()
        else:
            self._ended()

    def _ended(self) -> None:
        if self._failed:
            self._failed -= 1
        elif self._new > 0:
            self._loop.call_later(GRACE, self._look_again)
        self._left()

    def _look_again(self) -> None:
        """Who was new when somebody left, and still has not shaken hands, was the one who left."""
        if self._new > 0 and not self._closed:
            self._new -= 1
            self._stranger()
