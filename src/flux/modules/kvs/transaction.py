"""What `kvs.commit` asks for: operations on keys, all or none of them."""

from errno import EPROTO
from typing import Any

import msgspec

from flux.wire.message import Data

NO_MERGE, COMPACT, SYNC = 1, 2, 4
"""Flags of a transaction."""
APPEND = 32
"""Flag of an operation."""


class Op(msgspec.Struct, forbid_unknown_fields=True):
    """Puts a tree object at a key, appends a val to it, or, with null, unlinks it."""

    key: str
    flags: int
    dirent: Any


class Transaction(msgspec.Struct):
    """Operations that succeed or fail together."""

    ops: list[Op]
    namespace: str
    flags: int

    @property
    def alone(self) -> bool:
        """Whether it must have a root of its own."""
        return bool(self.flags & (NO_MERGE | SYNC))


_decode = msgspec.json.Decoder(Transaction).decode


def read(data: Data) -> Transaction:
    """Reads the payload of a commit. Raises EPROTO."""
    try:
        if isinstance(data, bytes):
            return _decode(data[:-1] if data.endswith(b"\0") else data)
        return msgspec.convert(data or {}, Transaction)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise OSError(EPROTO, f"bad payload: {error}") from None
