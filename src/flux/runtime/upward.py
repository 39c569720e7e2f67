"""A connection that this broker has made: to a parent, present or former, or to the next broker on the ring."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import zmq

from flux.runtime import curve
from flux.runtime.curve import Keys
from flux.runtime.monitor import Monitor
from flux.runtime.tuning import allow_ipv6
from flux.runtime.zsocket import Reader

SOON, LATE = 5, 1000
"""Milliseconds after which a connection is tried again that found nobody: first, and at most."""


class Endpoint(NamedTuple):
    """Where a broker listens: for the tree and for events, and its public key ("" on one host)."""

    tree: str
    event: str
    pubkey: str = ""


class Heard(NamedTuple):
    """Who is told what comes over one connection."""

    message: Callable[[list[bytes]], None]
    event: Callable[[list[bytes]], None] | None
    """None for a connection without events."""
    ended: Callable[[str], None]


class Upward:
    """A DEALER, with a SUB beside it where events come from there as well."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        socket: Callable[[int], zmq.Socket[bytes]],
        identity: bytes,
        endpoint: Endpoint,
        keys: Keys | None,
        heard: Heard,
        *,
        patient: bool,
    ) -> None:
        self._ended, self._secret = heard.ended, keys is not None
        self._agreed = False
        """Whether both sides have accepted each other's key."""
        self._dealer = socket(zmq.DEALER)
        self._dealer.setsockopt(zmq.ROUTING_ID, identity)
        self._secure(self._dealer, keys, endpoint)
        watched = zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_SUCCEEDED
        if not patient:
            watched |= zmq.EVENT_CONNECT_RETRIED
        self._monitor = Monitor(loop, self._dealer, watched, self._happened)
        self._readers = [Reader(loop, self._dealer, heard.message)]
        if heard.event is not None:
            events = socket(zmq.SUB)
            self._secure(events, keys, endpoint)
            for prefix in (b"", identity):
                events.setsockopt(zmq.SUBSCRIBE, prefix)
            events.connect(endpoint.event)
            self._readers.append(Reader(loop, events, heard.event))
        self._dealer.connect(endpoint.tree)

    def send(self, frame: bytes) -> None:
        """Sends a frame, when the connection stands."""
        self._dealer.send(frame, zmq.NOBLOCK)
        self._readers[0].poke()

    def close(self) -> None:
        """Gives the connection up."""
        self._monitor.close()
        for reader in reversed(self._readers):
            reader.close()

    def _secure(self, socket: zmq.Socket[bytes], keys: Keys | None, endpoint: Endpoint) -> None:
        socket.setsockopt(zmq.RECONNECT_IVL, SOON)  # who is called may not be there yet
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, LATE)
        allow_ipv6(socket, endpoint.tree)
        if keys is not None:
            curve.join(socket, keys, endpoint.pubkey.encode())

    def _happened(self, event: int) -> None:
        """It ended: it is given up, else ZeroMQ would make it again behind our back."""
        match event:
            case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._agreed = True
            case zmq.EVENT_DISCONNECTED if self._secret and not self._agreed:
                self._ended("hung up on: the keys are not of the same session")  # who has another key is told nothing
            case zmq.EVENT_DISCONNECTED:
                self._ended("connection lost")
            case zmq.EVENT_CONNECT_RETRIED:
                self._ended("nobody is there")
            case _:
                self._ended("key refused")
