"""Data of a stream as RFC 24 has it in JSON: UTF-8 where it is, else base64."""

from binascii import Error, a2b_base64, b2a_base64
from errno import EPROTO
from typing import Any, NamedTuple


class Piece(NamedTuple):
    """Some bytes of a stream, its end, or both."""

    stream: str
    data: bytes
    end: bool


def encode(stream: str, rank: str, data: bytes) -> dict[str, Any]:
    """Data of a stream as an object; none of it is the stream's end."""
    if not data:
        return {"stream": stream, "rank": rank, "eof": True}
    text = _text(data)
    if text is None:
        return {"stream": stream, "rank": rank, "encoding": "base64", "data": b2a_base64(data, newline=False).decode()}
    return {"stream": stream, "rank": rank, "data": text}


def decode(io: dict[str, Any]) -> Piece:
    """Reads such an object. OSError(EPROTO) for one that says nothing, or not in a known encoding."""
    stream, data, end = io.get("stream"), io.get("data"), io.get("eof", False)
    if not isinstance(stream, str) or not isinstance(data, str | None) or (data is None and not end):
        raise OSError(EPROTO, "bad io object")
    try:
        raw = a2b_base64(data or "", strict_mode=True) if io.get("encoding") == "base64" else (data or "").encode()
    except (Error, UnicodeEncodeError, ValueError):
        raise OSError(EPROTO, "bad data in io object") from None
    return Piece(stream, raw, bool(end))


def size(io: dict[str, Any]) -> int:
    """The bytes that such an object has, without decoding them. OSError(EPROTO) for what makes no sense."""
    data = io.get("data", "")
    if not isinstance(io.get("stream"), str) or not isinstance(data, str) or not (data or io.get("eof") is True):
        raise OSError(EPROTO, "bad io object")
    match io.get("encoding", "UTF-8"):
        case "base64":
            return len(data) // 4 * 3 - data[-2:].count("=")
        case "UTF-8":
            return len(data) if data.isascii() else len(data.encode())
    raise OSError(EPROTO, "bad data in io object")


def begun(data: bytes) -> int:
    """Bytes at the end that are the beginning of a UTF-8 character."""
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
        if byte < 0x80:
            return 0
    return 0


class Pieces:
    """Cuts what is written into pieces of at most `most` bytes, and text between its characters, so that it stays text.

    A character that has only begun is held back; not so where the rest is no text anyway.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Takes the next bytes; returns what can go."""
        data = self._held + data
        pieces = []
        while len(data) > self._most:
            cut = self._most - begun(data[: self._most])
            pieces.append(data[:cut])
            data = data[cut:]
        cut = len(data) - begun(data)
        before = data[:cut] or b"".join(pieces[-1:])
        self._held = data[cut:] if before and _text(before) is not None else b""
        rest = data[: len(data) - len(self._held)]
        return [*pieces, rest] if rest else pieces

    def rest(self) -> bytes:
        """Returns what is held back still, at the end."""
        rest, self._held = self._held, b""
        return rest


def _text(data: bytes) -> str | None:
    """The text that the bytes are; None for what has a NUL too, which JSON makes six bytes of."""
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None
