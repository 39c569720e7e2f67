"""The handle: a program's connection to its Flux instance."""

from typing import Any

from flux.rpc import RPC
from flux.runtime.blocking import Connection, connect
from flux.wire.message import ANY, Message
from flux.wire.session import Session


class Flux:
    """A connection to a broker."""

    def __init__(self, url: str | None = None, flags: int = 0, handle: Any = None) -> None:
        self.session = Session()
        self.connection: Connection = connect(url)
        self.inbox: list[Message] = []

    def rpc(self, topic: str, payload: Any = None, nodeid: int = ANY, flags: int = 0) -> RPC:
        """Asks a service for something."""
        return RPC(self, topic, payload, nodeid, flags)

    def wait(self, timeout: float | None = None) -> None:
        """Waits for messages and hands answers to who waits for them."""
        for msg in self.connection.receive(timeout):
            rest = self.session.receive(msg)
            if rest is not None:
                self.inbox.append(rest)

    def close(self) -> None:
        """Ends the connection."""
        self.connection.close()

    def __enter__(self) -> "Flux":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
