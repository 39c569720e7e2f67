"""Signed jobspecs (RFC 38, 39), of the mechanism none: HEADER.PAYLOAD.none. Pure."""

from binascii import b2a_base64


def wrap(jobspec: bytes, userid: int) -> str:
    """J: a jobspec, as JSON, that a user has signed."""
    header = b"version\0i1\0userid\0i%d\0mechanism\0snone\0" % userid
    return ".".join([b2a_base64(part, newline=False).decode("ascii") for part in (header, jobspec)] + ["none"])
