"""Trees that are known by the parent of each rank: mincrit, binomial, and whatever somebody wants (custom)."""

from collections.abc import Mapping, Sequence
from errno import EINVAL
from functools import cached_property

MOST_CHILDREN = 1024
"""Children that mincrit gives nobody more than, as long as three levels are enough for that."""

Parents = tuple[int, ...]
"""The parent of each rank; that of rank 0 means nothing."""


class ParentTree:
    """A tree by a table. All about it is found in a few passes over the table, when it is first asked for."""

    def __init__(self, text: str, parents: Parents) -> None:
        self._text, self.parents = text, parents
        self.size = len(parents)

    def parent(self, rank: int) -> int | None:
        """The rank that `rank` connects to; None for rank 0."""
        return self.parents[rank] if rank else None

    def children(self, rank: int) -> Sequence[int]:
        """The ranks that connect to `rank`."""
        return self._children.get(rank, ())

    def level(self, rank: int) -> int:
        """How many hops lie between `rank` and rank 0."""
        return self._levels[rank]

    def maxlevel(self) -> int:
        """The depth of the tree."""
        return max(self._levels)

    def descendants(self, rank: int) -> int:
        """How many brokers are below `rank`."""
        return self._below[rank]

    def __str__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParentTree) and self.parents[1:] == other.parents[1:]

    def __hash__(self) -> int:
        return hash(self.parents[1:])

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for rank in range(1, self.size):
            found.setdefault(self.parents[rank], []).append(rank)
        return found

    @cached_property
    def _downwards(self) -> list[int]:
        """All ranks, each after its parent."""
        order = [0]
        for rank in order:
            order += self.children(rank)
        return order

    @cached_property
    def _levels(self) -> list[int]:
        levels = [0] * self.size
        for rank in self._downwards[1:]:
            levels[rank] = levels[self.parents[rank]] + 1
        return levels

    @cached_property
    def _below(self) -> list[int]:
        below = [0] * self.size
        for rank in reversed(self._downwards[1:]):
            below[self.parents[rank]] += below[rank] + 1
        return below


def binomial(size: int) -> Parents:
    """A parent is its child without the lowest bit."""
    return tuple(rank & (rank - 1) for rank in range(size))


def mincrit(routers: int | None, size: int) -> Parents:
    """Ranks 1 to `routers` are below rank 0, all others are dealt out to these: few ranks that others depend on.

    None is as few as keep everybody's children below MOST_CHILDREN; with no routers the tree is flat.
    """
    count = fewest_routers(size) if routers is None else routers
    return tuple(0 if rank <= count or not count else (rank - 1) % count + 1 for rank in range(size))


def fewest_routers(size: int) -> int:
    """So many routers are enough for that size; one would help nobody."""
    if size <= MOST_CHILDREN + 1:
        return 0
    return max(2, -(-(size - 1) // (MOST_CHILDREN + 1)))


def custom(parents: Mapping[int, int], size: int) -> Parents:
    """The parents that somebody wants, 0 where nothing is said. OSError(EINVAL) names ranks that cannot be."""
    for rank, parent in parents.items():
        if not 0 <= rank < size or not 0 <= parent < size:
            raise OSError(EINVAL, f"custom topology: rank {parent} as the parent of {rank}: ranks are 0 to {size - 1}")
        if rank == 0:
            raise OSError(EINVAL, f"custom topology: rank 0 cannot have a parent, {parent} least of all")
    table = tuple(parents.get(rank, 0) for rank in range(size))
    _check_cycles(table)
    return table


def _check_cycles(parents: Parents) -> None:
    """Follows each rank up to one that is known to lead to rank 0."""
    good = {0}
    for rank in range(1, len(parents)):
        way: dict[int, None] = {}
        while rank not in good:
            if rank in way:
                ranks = list(way)
                cycle = [*ranks[ranks.index(rank) :], rank]
                raise OSError(EINVAL, f"custom topology: a cycle of parents: ranks {' -> '.join(map(str, cycle))}")
            way[rank] = None
            rank = parents[rank]
        good.update(way)
