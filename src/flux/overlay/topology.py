"""The shape of the tree that a session starts with (tbon.topo). Where a broker hangs later is learned, not computed."""

from collections.abc import Iterator
from errno import EINVAL
from typing import NamedTuple


class Kary(NamedTuple):
    """Each broker has up to `k` children; k = 0 puts everybody directly under rank 0."""

    k: int
    size: int

    def parent(self, rank: int) -> int | None:
        """The rank that `rank` connects to; None for rank 0."""
        if rank == 0:
            return None
        return (rank - 1) // self.k if self.k else 0

    def children(self, rank: int) -> range:
        """The ranks that connect to `rank`."""
        if not self.k:
            return range(1, self.size) if rank == 0 else range(0)
        first = self.k * rank + 1
        return range(min(first, self.size), min(first + self.k, self.size))

    def level(self, rank: int) -> int:
        """How many hops lie between `rank` and rank 0."""
        return sum(1 for _ in self._ancestors(rank))

    def maxlevel(self) -> int:
        """The depth of the tree."""
        return self.level(self.size - 1)

    def descendants(self, rank: int) -> int:
        """How many brokers are below `rank`."""
        if not self.k:
            return self.size - 1 if rank == 0 else 0
        below, low, high = 0, rank, rank
        while True:
            low, high = self.k * low + 1, self.k * high + self.k
            if low >= self.size:
                return below
            below += min(high, self.size - 1) - low + 1

    def __str__(self) -> str:
        return f"kary:{self.k}"

    def _ancestors(self, rank: int) -> Iterator[int]:
        parent = self.parent(rank)
        while parent is not None:
            yield parent
            parent = self.parent(parent)


def topology(text: str, size: int) -> Kary:
    """Reads a topology such as "kary:2". OSError(EINVAL) names what it does not know."""
    scheme, _, value = text.partition(":")
    if scheme != "kary" or not value.isdecimal():
        raise OSError(EINVAL, f"tbon.topo: unknown topology '{text}' (known: kary:K)")
    return Kary(int(value), size)
