"""What the key-value store is made of (RFC 11): val, valref, dir, dirref, symlink, as JSON objects in plain dicts."""

from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

from flux.base.blobref import is_blobref
from flux.base.invalid import Invalid

Treeobj: TypeAlias = dict[str, Any]

MAX_DEPTH = 100
"""Directories within directories in one object."""

Sealed: TypeAlias = msgspec.Raw
"""An object as text. Large directories are read and written without looking into each of their entries."""


class _Dir(msgspec.Struct, tag_field="type", tag="dir", forbid_unknown_fields=True):
    data: dict[str, Sealed]
    ver: int


_sorted = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode
_decode_dir = msgspec.json.Decoder(_Dir).decode
_KEYS = {"ver", "type", "data"}
_LINK = {"target", "namespace"}


def val(value: bytes) -> Treeobj:
    """A value, held in its directory."""
    return {"ver": 1, "type": "val", "data": b2a_base64(value, newline=False).decode("ascii")}


def valref(refs: Iterable[str]) -> Treeobj:
    """A value in blobs of its own, one after the other."""
    return {"ver": 1, "type": "valref", "data": list(refs)}


def directory(entries: Mapping[str, Treeobj] | None = None) -> Treeobj:
    """A directory with all its entries."""
    return {"ver": 1, "type": "dir", "data": dict(entries or {})}


def dirref(ref: str) -> Treeobj:
    """A directory in a blob of its own."""
    return {"ver": 1, "type": "dirref", "data": [ref]}


def symlink(target: str, namespace: str | None = None) -> Treeobj:
    """Another name for a key, perhaps of another namespace."""
    data = {"target": target} if namespace is None else {"namespace": namespace, "target": target}
    return {"ver": 1, "type": "symlink", "data": data}


def value_of(obj: Treeobj) -> bytes:
    """The bytes of a val. Raises EINVAL."""
    try:
        return a2b_base64(obj["data"], strict_mode=True)
    except (Error, ValueError, TypeError, KeyError):
        raise Invalid("val is not base64") from None


def link_of(obj: Treeobj) -> tuple[str | None, str]:
    """The namespace, or None, and the target of a symlink."""
    return obj["data"].get("namespace"), obj["data"]["target"]


def validate(obj: Any, depth: int = 0) -> Treeobj:
    """Returns what it is given if that is a tree object. Raises EINVAL that says what it lacks."""
    if not isinstance(obj, dict) or obj.keys() != _KEYS or obj["ver"] != 1 or type(obj["ver"]) is not int:
        raise Invalid("not a tree object of version 1")
    data = obj["data"]
    match obj["type"]:
        case "val":
            good = isinstance(data, str)
        case "valref" | "dirref":
            good = isinstance(data, list) and len(data) > 0 and all(map(is_blobref, data))
        case "dir":
            good = isinstance(data, dict) and depth < MAX_DEPTH
            for entry in data.values() if good else ():
                validate(entry, depth + 1)
        case "symlink":
            good = isinstance(data, dict) and isinstance(data.get("target"), str) and data.keys() <= _LINK
            good = good and isinstance(data.get("namespace", ""), str)
        case _:
            raise Invalid(f"no such tree object type: {obj['type']!r:.40}")
    if not good:
        raise Invalid(f"{obj['type']} with data of another type")
    return obj


def refs(obj: Any) -> Iterator[tuple[str, bool]]:
    """The blobs that an object, or the index of a large directory, refers to; and whether each is (of) a directory."""
    if obj["type"] == "pagedir":
        yield from ((row[1], True) for row in obj["data"]["pages"])
    elif obj["type"] == "dir":
        for entry in obj["data"].values():
            yield from refs(entry)
    elif obj["type"] in ("valref", "dirref"):
        yield from ((ref, obj["type"] == "dirref") for ref in obj["data"])


def encode(obj: Mapping[str, Any]) -> bytes:
    """The canonical JSON: compact, keys sorted. Equal objects are equal bytes, and so one blob."""
    text = _sorted(obj)
    if b"\\u00" in text:
        # Escapes are in capitals for everybody who ever hashed such a key.
        import re

        text = re.sub(
            rb"\\(u00[01][0-9a-f]|.)", lambda m: m[0] if m[1][:1] != b"u" else b"\\u" + m[1][1:].upper(), text
        )
    return text


def decode(text: str | bytes | memoryview) -> Treeobj:
    """Reads a tree object. Raises EINVAL."""
    try:
        value = _decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise Invalid("tree object is not JSON") from None
    return validate(value)


def seal(obj: Treeobj) -> Sealed:
    """The object as text."""
    return Sealed(encode(obj))


def unseal(text: Sealed) -> Treeobj:
    """The object of a text. Raises EINVAL."""
    return decode(memoryview(text))


def decode_entries(blob: bytes) -> dict[str, Sealed]:
    """Reads a directory, but not what is in it. Raises EINVAL."""
    try:
        found = _decode_dir(blob)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise Invalid("not a directory") from None
    if found.ver != 1:
        raise Invalid("not a directory of version 1")
    return found.data


def encode_entries(entries: Mapping[str, Sealed]) -> bytes:
    """The canonical JSON of a directory."""
    return encode({"data": entries, "type": "dir", "ver": 1})
