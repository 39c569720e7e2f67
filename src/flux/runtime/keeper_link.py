"""What a broker and its keeper say to each other, and how descriptors travel along (SCM_RIGHTS). Decides nothing."""

import array
import os
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec

HEADER = 5
"""Bytes before each message: its length, and how many descriptors belong to it."""
MOST_DESCRIPTORS = 253
"""What a kernel takes in one message (SCM_MAX_FD)."""


class Start(msgspec.Struct, tag=True):
    """Start a process. `names` says what each descriptor that travels along is to it."""

    id: int
    argv: list[bytes]
    env: dict[bytes, bytes]
    cwd: bytes
    names: list[str]
    group: bool
    umask: int | None
    limits: dict[str, int]
    cpus: tuple[int, ...]
    input: bytes


class Kill(msgspec.Struct, tag=True):
    """Send a signal to a process's group."""

    pid: int
    signum: int


class Finish(msgspec.Struct, tag=True):
    """End what is left of tasks that have ended: who has all these words (NAME=VALUE) in their environment."""

    words: list[bytes]


class Started(msgspec.Struct, tag=True):
    """It runs."""

    id: int
    pid: int


class Refused(msgspec.Struct, tag=True):
    """It could not be started."""

    id: int
    errnum: int
    text: str


class Stopped(msgspec.Struct, tag=True):
    """A signal has stopped it."""

    pid: int
    signum: int


class Ended(msgspec.Struct, tag=True):
    """It is over."""

    pid: int
    status: int


Order: TypeAlias = Start | Kill | Finish
Report: TypeAlias = Started | Refused | Stopped | Ended

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Order | Report).decode


def packed(message: Order | Report, descriptors: int = 0) -> bytes:
    """The bytes of a message that this many descriptors go with."""
    body = _encode(message)
    return len(body).to_bytes(4, "big") + bytes((descriptors,)) + body


def send(sock: socket.socket, data: bytes | memoryview, descriptors: Sequence[int] = ()) -> int:
    """Sends some of `data`, and all of the descriptors with its first byte. Returns how much was sent."""
    if not descriptors:
        return sock.send(data)
    rights = array.array("i", descriptors).tobytes()
    return sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


class Inbox:
    """Makes messages of what arrives on one end."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = bytearray()
        self._descriptors: deque[int] = deque()

    def receive(self) -> bool:
        """Takes what has arrived. False at the end, when the other side is gone."""
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            data, rights, _, _ = self._sock.recvmsg(1 << 18, socket.CMSG_SPACE(MOST_DESCRIPTORS * 4), flags)
        except (BlockingIOError, InterruptedError):
            return True
        except ConnectionError:
            return False
        for _, _, raw in rights:
            received = array.array("i")
            received.frombytes(raw[: len(raw) - len(raw) % received.itemsize])
            self._descriptors.extend(received)
        self._data += data
        return bool(data)

    def messages(self) -> Iterator[tuple[Order | Report, list[int]]]:
        """Yields each whole message with its descriptors, which from then on are the caller's to close."""
        while len(self._data) >= HEADER:
            end = HEADER + int.from_bytes(self._data[:4], "big")
            if len(self._data) < end:
                return
            count = self._data[4]
            message = _decode(self._data[HEADER:end])
            del self._data[:end]
            descriptors = [self._descriptors.popleft() for _ in range(count)]
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)  # where recvmsg cannot say it
            yield message, descriptors
