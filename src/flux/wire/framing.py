"""Messages on a byte stream, as today's local connector sends them: magic in host order, length without preface."""

from collections.abc import Sequence
from struct import Struct, error
from sys import byteorder

from flux.wire.codec import decode, encode
from flux.wire.message import BadMessage, Message

MAX_MESSAGE = 1 << 30
"""Bytes of the largest message that is taken, checked before anything is allocated."""

MOST_FRAMES = 1024
"""Frames of a message that is taken: its route, and at most four more. An empty one costs its sender one byte, and its
receiver many."""

_MAGIC = (0xFFEE0012).to_bytes(4, byteorder)
_PREFACE = 8
_length = Struct(">I")
_pack, _unpack = _length.pack, _length.unpack_from


def join(frames: Sequence[bytes]) -> bytes:
    """Puts frames into one, each behind its length."""
    parts: list[bytes] = []
    for frame in frames:
        n = len(frame)
        parts.append(bytes((n,)) if n < 255 else b"\xff" + _pack(n))
        parts.append(frame)
    return b"".join(parts)


def split(chunk: bytes) -> list[bytes]:
    """Takes apart what `join` made. Raises BadMessage."""
    frames: list[bytes] = []
    at, end = 0, len(chunk)
    while at < end:
        n = chunk[at]
        at += 1
        if n == 255:
            try:
                (n,) = _unpack(chunk, at)
            except error:
                raise BadMessage("length of a frame cut off") from None
            at += 4
        if at + n > end:
            raise BadMessage("frame reaches beyond its message")
        if len(frames) == MOST_FRAMES:
            raise BadMessage(f"more than {MOST_FRAMES} frames")
        frames.append(chunk[at : at + n])
        at += n
    return frames


def pack(msg: Message) -> bytes:
    """Encodes a message for a stream."""
    chunk = join(encode(msg))
    return _MAGIC + _pack(len(chunk)) + chunk


class Unpacker:
    """Cuts a byte stream into messages, however the bytes arrive."""

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Takes the next bytes, returns the messages that are complete. After BadMessage the stream is of no use."""
        if self._buffer:
            self._buffer += data
            data = bytes(self._buffer) if self._complete(self._buffer) else b""
            if not data:
                return []
            self._buffer.clear()
        messages: list[Message] = []
        at, end = 0, len(data)
        while end - at >= _PREFACE:
            size = self._size(data, at)
            start = at + _PREFACE
            if start + size > end:
                break
            messages.append(decode(split(data[start : start + size])))
            at = start + size
        if at < end:
            self._buffer += data[at:] if at else data
        return messages

    def _complete(self, data: bytearray) -> bool:
        return len(data) >= _PREFACE and len(data) >= _PREFACE + self._size(data, 0)

    def _size(self, data: bytes | bytearray, at: int) -> int:
        if data[at : at + 4] != _MAGIC:
            raise BadMessage("stream lost its framing")
        (size,) = _unpack(data, at + 4)
        if size > self.limit:
            raise BadMessage(f"message of {size} bytes is over the limit of {self.limit}")
        return int(size)
