"""CURVE keys for brokers on several hosts, and the handler (ZeroMQ's RFC 27, ZAP) that admits only this session's."""

import asyncio
from typing import NamedTuple

import zmq
from zmq.utils import z85

from flux.runtime.zsocket import Reader

DOMAIN = b"flux"


class Keys(NamedTuple):
    """A CURVE key pair, Z85 text."""

    public: bytes
    secret: bytes


def fresh_keys() -> Keys:
    """Makes a key pair for this broker's life."""
    return Keys(*zmq.curve_keypair())


def serve(socket: zmq.Socket[bytes], keys: Keys) -> None:
    """Makes a binding socket ask for CURVE; `Gatekeeper` decides who may in."""
    socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)


def join(socket: zmq.Socket[bytes], keys: Keys, server: bytes) -> None:
    """Makes a connecting socket prove its key to the one that has `server`."""
    socket.setsockopt(zmq.CURVE_SERVERKEY, server)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)


class Gatekeeper:
    """Answers libzmq's question whether a public key may connect."""

    def __init__(self, loop: asyncio.AbstractEventLoop, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self.admitted: set[bytes] = set()
        self._socket = context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind("inproc://zeromq.zap.01")
        self._reader = Reader(loop, self._socket, self._answer)

    def admit(self, public: bytes) -> None:
        """Lets the owner of that key in (Z85 text)."""
        self.admitted.add(public)

    def close(self) -> None:
        """Admits nobody any more."""
        self._reader.close()

    def _answer(self, parts: list[bytes]) -> None:
        """One ZAP request: address, delimiter, version, id, domain, peer, identity, mechanism, key."""
        if len(parts) < 8:
            return
        address, request, mechanism, credentials = parts[0], parts[3], parts[7], parts[8:]
        key = z85.encode(credentials[0]) if mechanism == b"CURVE" and credentials else b""
        verdict = [b"200", b"OK", key, b""] if key in self.admitted else [b"400", b"No access", b"", b""]
        self._socket.send_multipart([address, b"", b"1.0", request, *verdict])
        self._reader.poke()
