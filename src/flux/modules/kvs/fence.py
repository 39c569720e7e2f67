"""Fences: callers all over the session commit together, as one transaction, once as many have come as they said."""

from collections.abc import Iterable
from errno import ECONNABORTED, EINVAL
from typing import Any

import msgspec

from flux.modules.kvs.transaction import APPEND, Op, Transaction

WHY = {
    ECONNABORTED: "broken: one of its callers left",
    EINVAL: "its callers disagree on nprocs, flags or namespace",
}
"""What is wrong with a fence that breaks, by errno."""

_encode = msgspec.json.Encoder(order="sorted").encode


class Share(msgspec.Struct):
    """What part of the session brings to a fence: how many callers for how many, and what they want done."""

    nprocs: int = 0
    flags: int = 0
    namespace: str = ""
    count: int = 0
    ops: list[Op] = []
    errnum: int = 0
    """Why it cannot be; 0: it can."""

    @property
    def decided(self) -> bool:
        """Whether it can be committed, or given up."""
        return self.errnum != 0 or 0 < self.nprocs <= self.count

    def transaction(self) -> Transaction:
        """What is to be committed."""
        return Transaction(self.ops, self.namespace, self.flags)


def merged(values: Iterable[Any]) -> Share:
    """The shares of several as one. What many want alike is wanted once, but each append counts."""
    total, seen = Share(ops=[]), set[bytes]()
    for value in values:
        share = value if isinstance(value, Share) else msgspec.convert(value, Share)
        total.count += share.count
        total.errnum = total.errnum or share.errnum
        if share.nprocs:
            terms = (share.nprocs, share.flags, share.namespace)
            if total.nprocs and terms != (total.nprocs, total.flags, total.namespace):
                total.errnum = total.errnum or EINVAL
            total.nprocs, total.flags, total.namespace = terms
        total.ops += _unseen(share.ops, seen)
    return total


def _unseen(ops: Iterable[Op], seen: set[bytes]) -> list[Op]:
    """Those of some operations that nobody has asked for yet."""
    fresh = []
    for op in ops:
        text = _encode(op)
        if op.flags & APPEND or text not in seen:
            seen.add(text)
            fresh.append(op)
    return fresh
