"""The four kinds of message as values (RFC 3). What a kind does not have cannot be set; bytes are the codec's."""

from errno import EINVAL, ENODATA, EPROTO
from typing import Any, TypeAlias, TypeVar

import msgspec

ANY = 0xFFFFFFFF
"""Node id: the nearest broker up the tree that has the service."""
RING = 0x8000_0000
"""Bit of a node id: the request goes round the ring to that rank instead of through the tree. Ours, not in an RFC."""
UNKNOWN = 0xFFFFFFFF
"""User id that nobody has filled in yet."""

NORESPONSE = 0x04
UPSTREAM = 0x10
PRIVATE = 0x20
STREAMING = 0x40
USER1 = 0x80

OWNER, USER, LOCAL, ADMIN = 1, 2, 4, 8
"""Roles of RFC 12, one bit each."""

Data: TypeAlias = bytes | dict[str, Any] | None
"""A payload: bytes as they are on the wire, or a JSON object that no wire has seen yet, or none."""

Route: TypeAlias = tuple[bytes, ...]
"""Source addresses, the most recent hop first. The last one is who asked."""

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class BadMessage(ValueError):
    """The peer broke the protocol: drop the message, say so in the log."""


class Message(msgspec.Struct, gc=False):
    """What all kinds have."""

    userid: int = UNKNOWN
    rolemask: int = 0
    flags: int = 0


class Letter(Message, gc=False):
    """A message with a topic and, perhaps, a payload."""

    topic: str = ""
    data: Data = None

    def payload(self) -> bytes | None:
        """The payload as it is on the wire."""
        return wire_payload(self.data)

    def body(self) -> dict[str, Any]:
        """The payload as a JSON object; {} for none. Raises OSError(EPROTO) for anything else."""
        return json_object(self.data)


class Request(Letter, gc=False):
    """Asks a service for something. `nodeid` says which broker; matchtag 0 expects no answer."""

    nodeid: int = ANY
    matchtag: int = 0
    route: Route = ()

    @property
    def service(self) -> str:
        """The first word of the topic."""
        return self.topic.partition(".")[0]

    @property
    def sender(self) -> bytes:
        """Who asked: the address that was pushed first; b"" for nobody."""
        return self.route[-1] if self.route else b""

    @property
    def wants_answer(self) -> bool:
        """Whether the sender waits for a response."""
        return not self.flags & NORESPONSE

    @property
    def streaming(self) -> bool:
        """Whether the sender takes more than one response (RFC 6)."""
        return bool(self.flags & STREAMING)


class Response(Letter, gc=False):
    """Answers one request; errnum 0 is success. An error may carry a short text."""

    errnum: int = 0
    matchtag: int = 0
    route: Route = ()

    @property
    def final(self) -> bool:
        """Whether no other response to the same request follows (RFC 6)."""
        return self.errnum != 0 or not self.flags & STREAMING

    def text(self) -> str:
        """The error text, or ""."""
        raw = self.data if isinstance(self.data, bytes) else b""
        return raw.rstrip(b"\0").decode("utf-8", "replace")


class Event(Letter, gc=False):
    """Goes to everybody who subscribed. Rank 0 numbers it; `sequence` 0 is not yet published."""

    sequence: int = 0


class Control(Message, gc=False):
    """Peer to peer on one link, never forwarded."""

    type: int = 0
    status: int = 0


def wire_payload(data: Data) -> bytes | None:
    """Encodes a JSON object as RFC 3 wants it (NUL terminated); bytes pass."""
    if data is None or isinstance(data, bytes):
        return data
    return _encode(data) + b"\0"


def json_object(data: Data) -> dict[str, Any]:
    """Reads a payload that must be a JSON object; {} for none. Raises OSError(EPROTO)."""
    if data is None:
        return {}
    if isinstance(data, dict):
        return data
    try:
        value = _decode(data[:-1] if data.endswith(b"\0") else data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise OSError(EPROTO, "payload is not JSON") from None
    if not isinstance(value, dict):
        raise OSError(EPROTO, "payload is not a JSON object")
    return value


def respond(request: Request, data: Data = None, *, more: bool = False) -> Response:
    """Makes the answer to a request, addressed the way it came. `more` promises another one."""
    return Response(
        userid=request.userid,
        rolemask=request.rolemask,
        flags=STREAMING if more else 0,
        topic=request.topic,
        data=data,
        matchtag=request.matchtag,
        route=request.route,
    )


def refuse(request: Request, errnum: int, text: str = "") -> Response:
    """Makes an error response. `errnum` must not be 0; `text` is one short line (RFC 6).

    It often has a name in it that somebody else chose: what cannot be UTF-8 becomes a question mark."""
    response = respond(request, text.encode(errors="replace") + b"\0" if text else None)
    response.errnum = errnum
    response.flags = request.flags & STREAMING
    return response


def end_of_stream(request: Request) -> Response:
    """Makes the response that ends a stream in order (RFC 6)."""
    return refuse(request, ENODATA)


def around(nodeid: int) -> int:
    """The node id that leads to a rank round the ring. OSError(EINVAL) for what is no rank."""
    if not 0 <= nodeid < RING:
        raise OSError(EINVAL, "only a rank is reached round the ring")
    return nodeid | RING
