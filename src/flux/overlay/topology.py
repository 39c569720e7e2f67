"""The shape of the tree that a session starts with (tbon.topo). Where a broker hangs later is learned, not computed."""

from collections.abc import Iterator, Mapping, Sequence
from errno import EINVAL
from typing import NamedTuple, Protocol

from flux.overlay.parents import ParentTree, binomial, custom, mincrit

KNOWN = "kary:K, mincrit, mincrit:K, binomial, custom"


class Topology(Protocol):
    """A tree of the ranks 0 to size-1 with rank 0 on top. `str()` gives the text that `topology` reads."""

    @property
    def size(self) -> int: ...
    def parent(self, rank: int) -> int | None: ...  # None for rank 0
    def children(self, rank: int) -> Sequence[int]: ...  # ascending
    def level(self, rank: int) -> int: ...  # how many hops lie between the rank and rank 0
    def maxlevel(self) -> int: ...  # the depth of the tree
    def descendants(self, rank: int) -> int: ...  # how many ranks are below


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
        if self.k == 1:
            return rank
        return sum(1 for _ in self._ancestors(rank))

    def maxlevel(self) -> int:
        """The depth of the tree."""
        return self.level(self.size - 1)

    def descendants(self, rank: int) -> int:
        """How many brokers are below `rank`."""
        if not self.k:
            return self.size - 1 if rank == 0 else 0
        if self.k == 1:
            return self.size - 1 - rank
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


NOBODY: Mapping[int, int] = {}


def topology(text: str, size: int, parents: Mapping[int, int] = NOBODY) -> Topology:
    """Reads a topology such as "kary:2"; `parents` is what "custom" means, and rank 0 is the parent of all others.

    OSError(EINVAL) names what it does not know, and the ranks of a cycle.
    """
    scheme, colon, value = text.partition(":")
    number = int(value) if value.isascii() and value.isdecimal() else None
    if scheme == "kary" and number is not None:
        return Kary(number, size)
    if scheme == "mincrit" and (not colon or number is not None):
        return ParentTree(text, mincrit(number, size))
    if text == "binomial":
        return ParentTree(text, binomial(size))
    if text == "custom":
        return ParentTree(text, custom(parents, size))
    raise OSError(EINVAL, f"tbon.topo: unknown topology '{text}' (known: {KNOWN})")


__all__ = ["Kary", "ParentTree", "Topology", "topology"]
