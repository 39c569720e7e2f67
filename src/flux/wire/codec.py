"""RFC 3 in bytes: a message as a list of frames, and back. Refuses with BadMessage, never with anything else."""

from collections.abc import Sequence
from struct import Struct

from flux.wire.message import BadMessage, Control, Data, Event, Message, Request, Response, wire_payload

MAGIC, VERSION = 0x8E, 0x01
TOPIC, PAYLOAD, ROUTE = 0x01, 0x02, 0x08
_FRAMES = TOPIC | PAYLOAD | ROUTE
_REQUEST, _RESPONSE, _EVENT, _CONTROL = 1, 2, 4, 8
_proto = Struct(">BBBBIIII")
PROTO_SIZE = _proto.size


def encode(msg: Message) -> list[bytes]:
    """Turns a message into its frames: route, delimiter, topic, payload, header."""
    frames: list[bytes] = []
    if isinstance(msg, Request):
        kind, word, tag, flags = _REQUEST, msg.nodeid, msg.matchtag, msg.flags | TOPIC | ROUTE
        frames.extend(msg.route)
        frames.append(b"")
    elif isinstance(msg, Response):
        kind, word, tag, flags = _RESPONSE, msg.errnum, msg.matchtag, msg.flags | TOPIC | ROUTE
        frames.extend(msg.route)
        frames.append(b"")
    elif isinstance(msg, Event):
        kind, word, tag, flags = _EVENT, msg.sequence, 0, msg.flags | TOPIC
    elif isinstance(msg, Control):
        header = _proto.pack(MAGIC, VERSION, _CONTROL, msg.flags, msg.userid, msg.rolemask, msg.type, msg.status)
        return [header]
    else:
        raise TypeError(f"{type(msg).__name__} cannot be sent")
    frames.append(msg.topic.encode())
    payload = wire_payload(msg.data)
    if payload is not None:
        flags |= PAYLOAD
        frames.append(payload)
    frames.append(_proto.pack(MAGIC, VERSION, kind, flags, msg.userid, msg.rolemask, word, tag))
    return frames


def decode(frames: Sequence[bytes]) -> Message:
    """Reads a message from its frames. Raises BadMessage for whatever RFC 3 does not allow."""
    if not frames or len(frames[-1]) != PROTO_SIZE:
        raise BadMessage("no message header")
    magic, version, kind, flags, userid, rolemask, word, tag = _proto.unpack(frames[-1])
    if magic != MAGIC or version != VERSION:
        raise BadMessage("not a version 1 message")
    route, topic, data = _parts(frames, flags)
    kept = flags & ~_FRAMES
    if kind == _REQUEST:
        if not flags & ROUTE or not topic:
            raise BadMessage("request without route delimiter or topic")
        return Request(userid, rolemask, kept, topic, data, word, tag, route)
    if kind == _RESPONSE:
        if not flags & ROUTE or not topic:
            raise BadMessage("response without route delimiter or topic")
        return Response(userid, rolemask, kept, topic, data, word, tag, route)
    if kind == _EVENT:
        if not topic:
            raise BadMessage("event without topic")
        return Event(userid, rolemask, kept, topic, data, word)
    if kind == _CONTROL:
        return Control(userid, rolemask, kept, word, tag)
    raise BadMessage(f"no such message type: {kind}")


def _parts(frames: Sequence[bytes], flags: int) -> tuple[tuple[bytes, ...], str, Data]:
    """Splits the frames before the header by what the flags announce."""
    at, end = 0, len(frames) - 1
    route: tuple[bytes, ...] = ()
    if flags & ROUTE:
        while at < end and frames[at]:
            at += 1
        if at == end:
            raise BadMessage("route without delimiter")
        route = tuple(frames[:at])
        at += 1
    topic, data = "", None
    if flags & TOPIC:
        if at == end:
            raise BadMessage("topic missing")
        topic = _topic(frames[at])
        at += 1
    if flags & PAYLOAD:
        if at == end:
            raise BadMessage("payload missing")
        data = frames[at]
        at += 1
    if at != end:
        raise BadMessage("more frames than the flags announce")
    return route, topic, data


def _topic(frame: bytes) -> str:
    if b"\0" in frame:
        raise BadMessage("NUL in topic")
    try:
        return frame.decode()
    except UnicodeDecodeError:
        raise BadMessage("topic is not UTF-8") from None
