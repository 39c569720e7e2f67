"""The one object that says what is alive: the live roots and the checkpoints, as JSON. Pure."""

import msgspec

from flux.base.invalid import Invalid
from flux.base.liveroots import LiveRoots, RootRecord, checked

NAME = "roots"
"""No blobref."""


class _Object(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    live: list[RootRecord]
    checkpoints: list[RootRecord]


def encode(roots: LiveRoots) -> bytes:
    """As it is kept."""
    return msgspec.json.encode(_Object(1, roots.roots(), roots.checkpoints))


def decode(text: bytes) -> LiveRoots:
    """As it was kept. Raises EINVAL."""
    try:
        found = msgspec.json.decode(text, type=_Object)
    except (msgspec.MsgspecError, UnicodeError):
        raise Invalid("is damaged") from None
    if found.version != 1:
        raise Invalid(f"is of format {found.version}, this program knows 1")
    return LiveRoots(map(checked, found.live), map(checked, found.checkpoints))


def copy(roots: LiveRoots) -> LiveRoots:
    """Another one, to be changed."""
    return LiveRoots(roots.live.values(), roots.checkpoints)
