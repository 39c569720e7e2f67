"""What there is to allocate, node by node, and what of it is free. Pure, and the place where the work is done."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Self

from flux.base.constraint import Constraint, Nodes
from flux.base.jobspec import Resources
from flux.base.mask import lowest
from flux.base.rset import NOTHING, ResourceSet, Share

Allocation = dict[int, Share]
"""What a job has, by rank, in ascending order."""


class Pool:
    """The nodes that may be used, and what is free of them now. Nodes that are down, or have failed, are not used."""

    __slots__ = ("_asked", "_bare", "_free", "_matching", "all", "nodes", "up")

    def __init__(self, all: Mapping[int, Share], nodes: Nodes) -> None:
        self.all = dict(all)
        self.nodes = nodes
        self.up = set[int]()
        self._free: dict[int, Share] = {}
        """Of the nodes that are up; those of which no core is left are not in it."""
        self._bare: dict[int, Share] = {}
        """What is left of those: GPUs, memory."""
        self._asked: dict[int, frozenset[int]] = {}
        self._matching: list[Constraint] = []

    @classmethod
    def of(cls, resources: ResourceSet) -> Self:
        """All that is in a resource set, all of it down."""
        nodes = Nodes(frozenset(resources.ranks), resources.hosts, resources.properties)
        return cls(resources.ranks, nodes)

    def copy(self) -> "Pool":
        """Another one with the same free resources, to try things out."""
        made = Pool.__new__(Pool)
        made.all, made.nodes, made.up = self.all, self.nodes, self.up
        made._free, made._bare = dict(self._free), dict(self._bare)
        made._asked, made._matching = self._asked, self._matching
        return made

    def whole(self) -> "Pool":
        """The same nodes, all of them up and free: what a job could ever have."""
        made = self.copy()
        made._free, made._bare, made.up = dict(self.all), {}, set(self.all)
        return made

    # -- what becomes free, and what not ----------------------------------------------------------------------------

    def mark(self, ranks: Iterable[int], *, up: bool, allocated: Mapping[int, Share] = {}) -> None:
        """Nodes come or go. Of those that come, what is `allocated` is not free."""
        for rank in ranks:
            if rank not in self.all:
                continue
            if up:
                self.up.add(rank)
                self._put(rank, _minus(self.all[rank], allocated.get(rank, NOTHING)))
            else:
                self.up.discard(rank)
                self._forget(rank)

    def take(self, allocation: Mapping[int, Share]) -> None:
        """Resources are allocated."""
        for rank, share in allocation.items():
            if rank in self._free:
                self._put(rank, _minus(self._free[rank], share))
            elif rank in self._bare:
                self._bare[rank] = _minus(self._bare[rank], share)

    def give(self, allocation: Mapping[int, Share]) -> None:
        """Resources are free again."""
        for rank, share in allocation.items():
            if rank in self.up:
                mine = self._free.get(rank) or self._bare.get(rank, NOTHING)
                memory = min(self.all[rank].memory, mine.memory + share.memory)
                self._put(rank, Share(mine.cores | share.cores, mine.gpus | share.gpus, memory))

    def shrink(self, ranks: Iterable[int]) -> None:
        """Nodes are gone for good."""
        for rank in ranks:
            self.all.pop(rank, None)
            self.up.discard(rank)
            self._forget(rank)
        self._renew(self.nodes.properties)

    def describe(self, properties: Mapping[str, frozenset[int]]) -> None:
        """Nodes have other properties now."""
        self._renew(properties)

    def _renew(self, properties: Mapping[str, frozenset[int]]) -> None:
        self.nodes = Nodes(frozenset(self.all), self.nodes.hosts, properties)
        self._asked, self._matching = {}, []

    def _put(self, rank: int, share: Share) -> None:
        into, other = (self._free, self._bare) if share.cores else (self._bare, self._free)
        other.pop(rank, None)
        into[rank] = share

    def _forget(self, rank: int) -> None:
        self._free.pop(rank, None)
        self._bare.pop(rank, None)

    # -- allocation -------------------------------------------------------------------------------------------------

    def find(self, wanted: Resources, constraint: Constraint | None = None) -> Allocation:
        """What a job would get now, {} if there is not enough. It is not taken yet.

        Nodes are taken in the order of their ranks; for slots alone, as few as will do.
        """
        matching = self.matching(constraint)
        free = iter(self._free.items())
        if matching is not None:
            free = iter([(rank, share) for rank, share in self._free.items() if rank in matching])
        if wanted.nnodes:
            return self._nodes(wanted, free)
        if wanted.exclusive:
            free = iter([(rank, share) for rank, share in free if share == self.all[rank]])
        return self._slots(wanted, free)

    def matching(self, constraint: Constraint | None) -> frozenset[int] | None:
        """The ranks that match, None for all. Asked once for each constraint."""
        if constraint is None:
            return None
        found = self._asked.get(id(constraint))
        if found is None:
            found = self._asked[id(constraint)] = constraint(self.nodes)
            self._matching.append(constraint)  # kept, so that its id stays its own
        return found

    def _nodes(self, wanted: Resources, free: Iterator[tuple[int, Share]]) -> Allocation:
        """So many nodes, each with so many slots; whole ones if they are to be exclusive."""
        fits = _fitting(wanted)
        found = []
        for rank, share in free:
            if fits(share) >= wanted.nslots and (not wanted.exclusive or share == self.all[rank]):
                found.append(rank)
        if len(found) < wanted.nnodes:
            return {}
        chosen = sorted(found)[: wanted.nnodes]
        return {rank: self._share(rank, wanted, wanted.nslots) for rank in chosen}

    def _slots(self, wanted: Resources, free: Iterator[tuple[int, Share]]) -> Allocation:
        fits, left = _fitting(wanted), wanted.nslots
        some: list[tuple[int, int]] = []
        for rank, share in free:
            count = fits(share)
            if count >= left:
                return {rank: self._share(rank, wanted, left)}  # on one node
            if count:
                some.append((-count, rank))
        chosen = {}
        for count, rank in sorted(some):
            chosen[rank] = self._share(rank, wanted, min(-count, left))
            left += count
            if left <= 0:
                return dict(sorted(chosen.items()))
        return {}

    def _share(self, rank: int, wanted: Resources, slots: int) -> Share:
        if wanted.exclusive:
            return self.all[rank]
        free, slot = self._free[rank], wanted.slot
        gpus = lowest(free.gpus, slot.gpus * slots) if slot.gpus else 0
        return Share(lowest(free.cores, slot.cores * slots), gpus, slot.memory * slots)

    # -- figures ----------------------------------------------------------------------------------------------------

    @property
    def free(self) -> Mapping[int, Share]:
        """What is free now."""
        return self._free


def _fitting(wanted: Resources) -> Callable[[Share], int]:
    """Says how many slots fit into what a node has free."""
    cores, gpus, memory = wanted.slot
    if not gpus and not memory:
        if cores == 1:
            return lambda share: share.cores.bit_count()
        return lambda share: share.cores.bit_count() // cores

    def count(share: Share) -> int:
        most = share.cores.bit_count() // cores
        if gpus:
            most = min(most, share.gpus.bit_count() // gpus)
        return min(most, share.memory // memory) if memory else most

    return count


def _minus(share: Share, taken: Share) -> Share:
    return Share(share.cores & ~taken.cores, share.gpus & ~taken.gpus, max(0, share.memory - taken.memory))
