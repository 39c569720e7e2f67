"""What `kvs.commit` asks for: operations on keys, all or none of them."""

from errno import EINVAL, EPERM, EPROTO
from typing import Any

import msgspec

from flux.base import treeobj
from flux.wire.message import Data

NO_MERGE, COMPACT, SYNC = 1, 2, 4
"""Flags of a transaction."""
LAZY = 1 << 16
"""Flag of a transaction (ours): it may wait a moment for others, whose root it then shares."""
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
    except UnicodeDecodeError:
        raise OSError(EPROTO, "bad payload: not UTF-8") from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise OSError(EPROTO, f"bad payload: {error}") from None


def compacted(ops: list[Op]) -> list[Op]:
    """Joins appends to one key (COMPACT). EINVAL if something else follows an append to it: their order matters."""
    kept: list[Op] = []
    appends: dict[str, Op] = {}
    for op in ops:
        first = appends.get(op.key)
        if first is not None and not op.flags & APPEND:
            raise OSError(EINVAL, f"{op.key}: appends cannot be compacted across other operations")
        if first is None:
            kept.append(op)
            if op.flags & APPEND:
                appends[op.key] = op
        else:
            first.dirent = treeobj.val(treeobj.value_of(first.dirent) + treeobj.value_of(op.dirent))
    return kept


def check_guest(transaction: Transaction) -> None:
    """Refuses what could show a guest more than is theirs: references, links, directories with something in them."""
    for op in transaction.ops:
        kind = op.dirent.get("type") if isinstance(op.dirent, dict) else op.dirent
        if kind not in (None, "val") and not (kind == "dir" and not op.dirent.get("data")):
            raise OSError(EPERM, f"guests may not commit {kind!s:.20} objects")
