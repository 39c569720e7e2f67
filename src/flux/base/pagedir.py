"""The index of a large directory, which is kept in pages of names in order (ours, in place of RFC 11's hdir).

A directory of many entries would be one large blob that each change makes anew. In pages, a change costs the depth.
"""

from bisect import bisect_right
from operator import itemgetter
from typing import NamedTuple, TypeAlias

import msgspec

from flux.base.blobref import is_blobref
from flux.base.invalid import Invalid


class Row(NamedTuple):
    """One page: the first name in it when it was written, its blob, and how many entries are in and below it."""

    first: str
    ref: str
    size: int


class _Body(msgspec.Struct):
    count: int
    pages: list[Row]


class _Object(msgspec.Struct, tag_field="type", tag="pagedir", forbid_unknown_fields=True):
    data: _Body
    ver: int


Pages: TypeAlias = list[Row]

_LAST = "\U0010ffff"
"""After all refs."""
_size = itemgetter(2)

_decode = msgspec.json.Decoder(_Object).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Index:
    """The pages of a directory, or of one part of it, in the order of their names. Each is a `dir` or an index."""

    __slots__ = ("count", "rows")

    def __init__(self, rows: Pages) -> None:
        self.rows = rows
        self.count = sum(map(_size, rows))

    def at(self, name: str) -> int:
        """Which page a name is in, if it is there at all."""
        return max(bisect_right(self.rows, (name, _LAST)) - 1, 0)

    def encode(self) -> bytes:
        """The canonical JSON."""
        return _encode({"data": {"count": self.count, "pages": self.rows}, "type": "pagedir", "ver": 1})


def decode(blob: bytes) -> Index:
    """Reads an index. Raises EINVAL."""
    try:
        found = _decode(blob)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise Invalid("not the index of a directory") from None
    if found.ver != 1 or not found.data.pages or not all(is_blobref(row.ref) for row in found.data.pages):
        raise Invalid("not the index of a directory")
    return Index(found.data.pages)
