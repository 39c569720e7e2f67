"""How a part of the tree is doing: who of the session is missing, and below whom that is felt. Pure."""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

FULL, PARTIAL, DEGRADED, OFFLINE, LOST = "full", "partial", "degraded", "offline", "lost"
"""All there; some have left or never came; some are lost. A single broker that is missing is offline, or lost."""


class Absent(NamedTuple):
    """A rank that cannot be reached."""

    rank: int
    status: str
    since: float
    error: str = ""


class Census:
    """Who is missing, as rank 0 sees it: all who have not joined, then all who are gone."""

    def __init__(self, ranks: Iterable[int], now: float) -> None:
        self._absent = {rank: Absent(rank, OFFLINE, now) for rank in ranks}

    def joined(self, ranks: Iterable[int]) -> None:
        """These can be reached."""
        for rank in ranks:
            self._absent.pop(rank, None)

    def gone(self, ranks: Iterable[int], reason: str, now: float, *, in_order: bool) -> None:
        """These cannot any more."""
        for rank in ranks:
            self._absent[rank] = Absent(rank, OFFLINE if in_order else LOST, now, reason)

    @property
    def absent(self) -> list[Absent]:
        """Those who are missing, by rank."""
        return sorted(self._absent.values())


def felt_by(rank: int, absent: Collection[int], parent: Callable[[int], int | None]) -> int:
    """Below whom a rank is missing: the first above it in the plan who is not."""
    above = parent(rank)
    while above is not None and above in absent:
        above = parent(above)
    return above or 0


def status(missing: Iterable[Absent]) -> str:
    """The status of a subtree in which these are missing."""
    words = {one.status for one in missing}
    if LOST in words:
        return DEGRADED
    return PARTIAL if words else FULL
