"""Values: JSON, else text, else bytes; and large ones, which go past the key-value store as blobs of their own."""

from typing import Any

LARGE = 1 << 20
"""Bytes beyond which a value is stored and loaded as blobs: in a commit it would be a third larger, and parsed."""
PART = 16 << 20
"""Bytes of one blob of a large value."""


def decoded(value: bytes) -> Any:
    """What was put: a value of JSON, else text, else bytes, None for an empty one."""
    if not value:
        return None
    from json import loads

    try:
        text = value.decode()
        return loads(text)
    except UnicodeDecodeError:
        return value
    except (ValueError, RecursionError):
        return text


def encoded(value: Any) -> bytes:
    """What is stored for a value."""
    if isinstance(value, bytes):
        return value
    from json import dumps

    return dumps(value).encode()


def parts(value: bytes) -> list[bytes]:
    """The blobs that a large value is stored as."""
    return [value[at : at + PART] for at in range(0, len(value), PART)]


def is_large(op: dict[str, Any]) -> bool:
    """Whether an operation carries a large value. What is appended is left as it is: it must be a value."""
    obj = op["dirent"]
    return obj is not None and not op["flags"] and obj["type"] == "val" and len(obj["data"]) * 3 // 4 > LARGE
