"""Signed jobspecs (RFC 38, 39): HEADER.PAYLOAD.SIGNATURE. Pure."""

from binascii import Error, a2b_base64
from collections.abc import Callable
from errno import EINVAL, EPERM
from functools import lru_cache

KINDS: dict[str, Callable[[str], object]] = {"i": int, "s": str, "d": float, "b": lambda text: text == "true", "t": str}


def unwrap(J: str, userid: int) -> bytes:
    """The jobspec that a user has signed, as JSON. OSError: EINVAL, EPERM for a signature that is somebody else's."""
    parts = J.split(".")
    if len(parts) != 3:
        raise OSError(EINVAL, "J is not a signed jobspec: HEADER.PAYLOAD.SIGNATURE")
    header = _header(parts[0])
    if header.get("version") != 1:
        raise OSError(EINVAL, f"J: version {header.get('version')!r:.20} is not known")
    if header.get("mechanism") != "none":
        raise OSError(EINVAL, f"J: mechanism {header.get('mechanism')!r:.20} is not supported")
    if parts[2] != "none":
        raise OSError(EINVAL, "J: the signature is not of mechanism none")
    if header.get("userid") != userid:
        raise OSError(EPERM, "signer does not match requestor")
    return _base64(parts[1])


@lru_cache(256)
def _header(text: str) -> dict[str, object]:
    """Read once for all jobs of a user: it is always the same."""
    words = _base64(text).split(b"\0")
    found: dict[str, object] = {}
    try:
        for key, value in zip(words[0::2], words[1::2], strict=False):
            found[key.decode()] = KINDS[chr(value[0])](value[1:].decode())
    except (KeyError, ValueError, IndexError):
        raise OSError(EINVAL, "J: the header is not key-value pairs") from None
    return found


def _base64(text: str) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        raise OSError(EINVAL, "J is not base64") from None
