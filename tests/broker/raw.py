"""A client's bare socket: what goes over it is bytes and messages, not calls."""

import socket
from typing import Any

from flux.wire.framing import Unpacker, pack
from flux.wire.message import ANY, Data, Message, Request

LONGEST = 30.0
"""Seconds without an answer after which a test has failed."""


class RawClient:
    """A connection to the local socket of a broker."""

    def __init__(self, uri: str, rank: int = 0) -> None:
        path = uri.removeprefix("local://").rpartition("-")[0] + f"-{rank}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(LONGEST)
        self.socket.connect(path)
        self._unpacker, self._ready = Unpacker(), list[Message]()

    def __enter__(self) -> "RawClient":
        assert self.socket.recv(1) == b"\0", "not let in"
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def next(self) -> Any:
        """The next message; EOFError if the broker has hung up."""
        while not self._ready:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._ready += self._unpacker.feed(data)
        return self._ready.pop(0)

    def ask(self, topic: str, data: Data = None, tag: int = 1, nodeid: int = ANY, flags: int = 0) -> None:
        """Sends a request."""
        self.socket.sendall(pack(Request(flags=flags, topic=topic, data=data, nodeid=nodeid, matchtag=tag)))

    def rpc(self, topic: str, data: Data = None, **where: int) -> Any:
        """Asks, and waits for the answer, which must be the next message."""
        self.ask(topic, data, **where)
        return self.next()
