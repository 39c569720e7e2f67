"""One broker's sockets on the tree, event and ring overlays. Moves messages, decides nothing.

A DEALER to each broker that we have connected to (a parent, the next one on the ring), a ROUTER for those that have
connected to us. The identities there are the peers' uuids, so that a link's address is the peer's uuid, with a sign
before it unless the peer is a child. Events go down by XPUB and SUB. A child subscribes to its own uuid as well: once
that has reached the parent its event link stands, and only then is its first message, the hello, let in. So no event
falls between hello and connect. A frame on the tree is 8 bytes, the number of the last event that the sender has seen,
and the message."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from typing import NamedTuple

import zmq

from flux.overlay.router import LEEWARD, RINGWARD, UPWARD
from flux.runtime import curve, tuning
from flux.runtime.curve import Gatekeeper, Keys
from flux.runtime.monitor import Doorkeeper
from flux.runtime.tuning import Tuning, allow_ipv6
from flux.runtime.upward import Endpoint, Heard, Upward
from flux.runtime.zsocket import Reader
from flux.wire.codec import decode, encode
from flux.wire.framing import MAX_MESSAGE, join, split
from flux.wire.message import BadMessage, Message

__all__ = ["Ears", "Endpoint", "Wiring"]

_mark = Struct(">Q")
MOST_EARLY = 100
"""Messages of a child that are kept until its event link stands; a broker sends one, its hello."""
MOST_STRANGERS = 10_000
"""So many may send before their event link stands; the others are not heard."""
PROBES = (0.0, 0.01, 0.1, 1.0)
"""Seconds after a disconnect at which children are probed: ZeroMQ says that one is gone, not which, nor at once."""


class Ears(NamedTuple):
    """Who is told what happens on the sockets."""

    receive: Callable[[Message, bytes, int], None]
    lost: Callable[[bytes, str], None]
    noise: Callable[[str], None]


class Wiring:
    """The ZeroMQ sockets of one broker."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        uuid: str,
        ears: Ears,
        keys: Keys | None = None,
        tuning: Tuning = tuning.DEFAULT,
    ) -> None:
        self._loop, self._uuid, self._ears, self._keys = loop, uuid.encode(), ears, keys
        self._tuning = tuning
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(tuning.io_threads)
        self._context.setsockopt(zmq.MAX_SOCKETS, 64)
        self._gate = Gatekeeper(loop, self._context) if keys is not None else None
        self._readers: dict[str, Reader] = {}
        self._doorkeepers: list[Doorkeeper] = []
        self._up: dict[bytes, Upward] = {}
        self._down: zmq.Socket[bytes] | None = None
        self._events: zmq.Socket[bytes] | None = None
        self._children: set[bytes] = set()
        self._listening: Counter[bytes] = Counter()
        self._early: dict[bytes, list[list[bytes]]] = {}
        self._files: list[str] = []

    # -- connections ------------------------------------------------------------------------------------------------

    def listen(self, tree: str, event: str) -> Endpoint:
        """Binds to two endpoints, such as ipc://PATH or tcp://ADDRESS:*; returns what others connect to."""
        self._down, self._events = self._socket(zmq.ROUTER), self._socket(zmq.XPUB)
        self._down.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self._down.setsockopt(zmq.ROUTER_HANDOVER, 1)
        self._events.setsockopt(zmq.XPUB_VERBOSER, 1)  # who comes back may be here before it has left
        for socket in (self._down, self._events):
            if self._keys is not None:
                curve.serve(socket, self._keys)
        self._doorkeepers = [
            Doorkeeper(self._loop, self._down, self._left, self._stranger),
            Doorkeeper(self._loop, self._events, lambda: None, self._stranger),
        ]
        for socket, endpoint in ((self._down, tree), (self._events, event)):
            _bind(socket, endpoint)
            if endpoint.startswith("ipc://"):  # libzmq makes files, and leaves them
                self._files.append(endpoint.removeprefix("ipc://"))
        self._read("children", self._down, self._from_child)
        self._read("subscriptions", self._events, self._subscription)
        return Endpoint(_bound(self._down), _bound(self._events), self._keys.public.decode() if self._keys else "")

    def admit(self, pubkey: str) -> None:
        """Lets the broker with that public key connect."""
        if self._gate is not None:
            self._gate.admit(pubkey.encode())

    def connect(self, uuid: str, endpoint: Endpoint, *, patient: bool = True) -> None:
        """Connects to a parent; what is sent to its address from now on goes there. Who is not `patient` is told by
        `lost` that nobody is there; else it is tried again."""
        self._reach(UPWARD + uuid.encode(), self._uuid, endpoint, patient, events=True)

    def connect_ring(self, uuid: str, endpoint: Endpoint) -> None:
        """Connects to the next broker on the ring, whose address is its uuid behind the sign for that way."""
        self._reach(RINGWARD + uuid.encode(), LEEWARD + self._uuid, endpoint, False, events=False)

    def _reach(self, link: bytes, identity: bytes, endpoint: Endpoint, patient: bool, *, events: bool) -> None:
        if link in self._up:
            return
        heard = Heard(
            lambda parts: self._receive(link, parts),
            (lambda parts: self._from_events(link, parts)) if events else None,
            lambda reason: self._up_lost(link, reason),
        )
        self._up[link] = Upward(self._loop, self._socket, identity, endpoint, self._keys, heard, patient=patient)

    def disconnect(self, link: bytes) -> None:
        """Gives up a link."""
        if link in self._up:
            self._up.pop(link).close()
        self._children.discard(link)

    def close(self) -> None:
        """Closes all; what was sent is given a moment to leave."""
        for up in self._up.values():
            up.close()
        for doorkeeper in self._doorkeepers:
            doorkeeper.close()
        for reader in self._readers.values():
            reader.close()
        self._up.clear()
        self._doorkeepers.clear()
        self._readers.clear()
        if self._gate is not None:
            self._gate.close()
        self._down = self._events = None
        self._context.term()
        for path in self._files:
            with suppress(OSError):
                os.unlink(path)

    # -- messages ---------------------------------------------------------------------------------------------------

    def send(self, link: bytes, msg: Message, mark: int) -> None:
        """Sends a message to a neighbour; one that is gone is reported as lost, later."""
        frame = _mark.pack(mark) + join(encode(msg))
        up = self._up.get(link)
        if up is not None:
            up.send(frame)
        elif self._down is not None and not self._to_child(link, frame):
            self._loop.call_soon(self._child_lost, link)

    def publish(self, msg: Message) -> None:
        """Sends an event to all children."""
        if self._events is not None and self._listening:
            self._events.send(join(encode(msg)), zmq.NOBLOCK)
            self._readers["subscriptions"].poke()

    def _to_child(self, link: bytes, frame: bytes) -> bool:
        assert self._down is not None
        try:
            self._down.send(link, zmq.SNDMORE | zmq.NOBLOCK)
            self._down.send(frame, zmq.NOBLOCK)
        except zmq.ZMQError as error:
            if error.errno == zmq.EHOSTUNREACH:
                return False
            raise
        self._readers["children"].poke()
        return True

    def _from_child(self, parts: list[bytes]) -> None:
        link, rest = parts[0], parts[1:]
        if link in self._children or link in self._listening or link[:1] == LEEWARD:
            self._children.add(link)
            self._receive(link, rest)
        elif link in self._early or len(self._early) < MOST_STRANGERS:
            self._early.setdefault(link, []).append(rest)
            del self._early[link][MOST_EARLY:]

    def _receive(self, link: bytes, parts: list[bytes]) -> None:
        if parts == [b""]:
            return  # a probe
        try:
            if len(parts) != 1 or not 8 < len(parts[0]) <= MAX_MESSAGE:
                raise BadMessage("not one frame of a message")
            (mark,) = _mark.unpack_from(parts[0])
            msg = decode(split(parts[0][8:]))
        except BadMessage as error:
            self._ears.noise(f"ignored a message from {link[:8]!r}: {error}")
            return
        self._ears.receive(msg, link, mark)

    def _from_events(self, link: bytes, parts: list[bytes]) -> None:
        try:
            msg = decode(split(parts[0]))
        except BadMessage as error:
            self._ears.noise(f"ignored an event: {error}")
            return
        self._ears.receive(msg, link, 0)

    def _subscription(self, parts: list[bytes]) -> None:
        """Somebody (un)subscribed: the prefix that is a uuid says who."""
        link = parts[0][1:]
        if not link:
            return
        self._listening[link] += 1 if parts[0][:1] == b"\1" else -1
        if self._listening[link] <= 0:
            del self._listening[link]
            return
        for early in self._early.pop(link, []):
            self._from_child([link, *early])

    # -- what the monitors say --------------------------------------------------------------------------------------

    def _stranger(self) -> None:
        self._ears.noise("somebody connected to an overlay port who does not speak our protocol or has no key of ours")

    def _left(self) -> None:
        """A connection below ended."""
        for delay in PROBES:
            self._loop.call_later(delay, self._probe)

    def _probe(self) -> None:
        """Finds out which children are gone: ZeroMQ refuses to send to them."""
        if self._down is None:
            return
        for link in list(self._children):
            if not self._to_child(link, b""):
                self._child_lost(link)

    def _child_lost(self, link: bytes) -> None:
        if link in self._children:
            self.disconnect(link)
            self._ears.lost(link, "connection lost")

    def _up_lost(self, link: bytes, reason: str) -> None:
        if link in self._up:
            self.disconnect(link)
            self._ears.lost(link, reason)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = self._context.socket(kind)
        for option, value in ((zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.LINGER, 50), (zmq.MAXMSGSIZE, MAX_MESSAGE)):
            socket.setsockopt(option, value)
        self._tuning.apply(socket)
        return socket

    def _read(self, name: str, socket: zmq.Socket[bytes], read: Callable[[list[bytes]], None]) -> None:
        self._readers[name] = Reader(self._loop, socket, read)


def _bind(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Binds; OSError names an endpoint that cannot be."""
    allow_ipv6(socket, endpoint)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        raise OSError(error.errno, f"{endpoint}: {os.strerror(error.errno or 0)}") from None


def _bound(socket: zmq.Socket[bytes]) -> str:
    """The endpoint that a socket was bound to, with the port that it got."""
    end = socket.getsockopt(zmq.LAST_ENDPOINT)
    assert isinstance(end, bytes)
    return end.rstrip(b"\0").decode()
