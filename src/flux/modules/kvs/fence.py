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
    """What part of the session brings to a fence: how many callers for how many, and what they want done.

    While a broker moves, two others report what it has brought: a share that is merged twice counts once.
    """

    nprocs: int = 0
    flags: int = 0
    namespace: str = ""
    callers: dict[str, int] = {}
    """How many there are on each rank."""
    ops: list[Op] = []
    """What they want done; what many want alike is here once."""
    appends: dict[str, list[Op]] = {}
    """Of each rank; they are done last, and each counts."""
    errnum: int = 0
    """Why it cannot be; 0: it can."""

    @property
    def decided(self) -> bool:
        """Whether it can be committed, or given up."""
        return self.errnum != 0 or 0 < self.nprocs <= sum(self.callers.values())

    def transaction(self) -> Transaction:
        """What is to be committed."""
        ranks = sorted(self.appends, key=int)
        return Transaction(self.ops + [op for rank in ranks for op in self.appends[rank]], self.namespace, self.flags)


def share(rank: int, nprocs: int, asked: Transaction) -> Share:
    """What one caller brings."""
    puts = [op for op in asked.ops if not op.flags & APPEND]
    appends = {str(rank): [op for op in asked.ops if op.flags & APPEND]}
    return Share(nprocs, asked.flags, asked.namespace, {str(rank): 1}, puts, appends if any(appends.values()) else {})


def gathered(rank: int, shares: Iterable[Share]) -> Share:
    """The shares of several callers on one rank as one."""
    several = list(shares)
    total = merged(several)
    total.callers = {str(rank): len(several)} if several else {}
    appends = [op for one in several for op in one.appends.get(str(rank), ())]
    total.appends = {str(rank): appends} if appends else {}
    return total


def merged(values: Iterable[Any]) -> Share:
    """The shares of several ranks as one."""
    total, seen = Share(callers={}, ops=[], appends={}), set[bytes]()
    for value in values:
        one = value if isinstance(value, Share) else msgspec.convert(value, Share)
        total.callers |= one.callers
        total.appends |= one.appends
        total.errnum = total.errnum or one.errnum
        if one.nprocs:
            terms = (one.nprocs, one.flags, one.namespace)
            if total.nprocs and terms != (total.nprocs, total.flags, total.namespace):
                total.errnum = total.errnum or EINVAL
            total.nprocs, total.flags, total.namespace = terms
        total.ops += _unseen(one.ops, seen)
    return total


def _unseen(ops: Iterable[Op], seen: set[bytes]) -> list[Op]:
    """Those of some operations that nobody has asked for yet."""
    fresh = []
    for op in ops:
        text = _encode(op)
        if text not in seen:
            seen.add(text)
            fresh.append(op)
    return fresh
