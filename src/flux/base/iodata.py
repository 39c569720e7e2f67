"""Data of a stream as RFC 24 has it in JSON: UTF-8 where it is, else base64."""

from base64 import b64decode, b64encode
from binascii import Error
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
        return {"stream": stream, "rank": rank, "encoding": "base64", "data": b64encode(data).decode()}
    return {"stream": stream, "rank": rank, "data": text}


def decode(io: dict[str, Any]) -> Piece:
    """Reads such an object. OSError(EPROTO) for one that says nothing, or not in a known encoding."""
    stream, data, end = io.get("stream"), io.get("data"), io.get("eof", False)
    if not isinstance(stream, str) or not isinstance(data, str | None) or (data is None and not end):
        raise OSError(EPROTO, "bad io object")
    try:
        raw = b64decode(data or "", validate=True) if io.get("encoding") == "base64" else (data or "").encode()
    except (Error, UnicodeEncodeError, ValueError):
        raise OSError(EPROTO, "bad data in io object") from None
    return Piece(stream, raw, bool(end))


def _text(data: bytes) -> str | None:
    """The text that the bytes are; None for what has a NUL too, which JSON makes six bytes of."""
    try:
        return None if b"\0" in data else data.decode()
    except UnicodeDecodeError:
        return None
