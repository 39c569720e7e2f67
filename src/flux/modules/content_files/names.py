"""Where a blob's file is, and what the file of the roots says. Pure."""

import msgspec

from flux.base.invalid import Invalid
from flux.base.liveroots import LiveRoots, RootRecord, checked

ROOTS = "roots.json"


class _File(msgspec.Struct):
    live: list[RootRecord]
    checkpoints: list[RootRecord]


def place(ref: str) -> str:
    """The path of a blob: directories stay small."""
    digits = ref.partition("-")[2]
    return f"{digits[:2]}/{ref}"


def written(roots: LiveRoots) -> bytes:
    """The roots as their file has them."""
    return msgspec.json.encode(_File(roots.roots(), roots.checkpoints))


def read(text: bytes) -> LiveRoots:
    """Reads the file of the roots. Raises EINVAL."""
    try:
        found = msgspec.json.decode(text, type=_File)
        return LiveRoots(map(checked, found.live), map(checked, found.checkpoints))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        raise Invalid(f"{ROOTS} is damaged") from None
