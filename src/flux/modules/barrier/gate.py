"""One barrier as one broker sees it: who waits here, and how many wait in all. Pure."""

from errno import ECONNABORTED, EEXIST, EINVAL
from typing import Any, NamedTuple

WHY = {
    ECONNABORTED: "broken: a waiter left or entered twice",
    EINVAL: "its callers disagree on nprocs",
}
"""What is wrong with a barrier that breaks, by errno."""


class Count(NamedTuple):
    """What the tree reports of a barrier: who waits in all, for how many, and why it cannot be (0: it can)."""

    waiting: int
    nprocs: int
    errnum: int = 0

    def with_other(self, other: "Count") -> "Count":
        """Two reports of one barrier as one."""
        errnum = self.errnum or other.errnum
        if self.nprocs != other.nprocs and self.nprocs and other.nprocs:
            errnum = errnum or EINVAL
        return Count(self.waiting + other.waiting, self.nprocs or other.nprocs, errnum)

    @property
    def decided(self) -> bool:
        """Whether everybody can be told."""
        return self.errnum != 0 or (self.nprocs > 0 and self.waiting >= self.nprocs)


def merged(values: Any) -> Count:
    """The reports of several links as one; they may have been lists on the way."""
    total = Count(0, 0)
    for value in values:
        total = total.with_other(Count(*value))
    return total


class Gate:
    """The waiters of one broker at one barrier. A gate that is broken lets nobody in."""

    def __init__(self) -> None:
        self._nprocs = 0
        self._errnum = 0
        self._waiting: set[bytes] = set()

    def enter(self, who: bytes, nprocs: int) -> None:
        """Lets somebody in. EEXIST (once is enough) and EINVAL (others wait for another number) break the gate."""
        if nprocs < 1:
            raise OSError(EINVAL, f"nprocs must be at least 1, not {nprocs}")
        if who in self._waiting:
            self.break_up(ECONNABORTED)
            raise OSError(EEXIST, "entered twice by the same client")
        if self._nprocs not in (0, nprocs):
            self.break_up(EINVAL)
        if self._errnum:
            raise OSError(self._errnum, WHY[self._errnum])
        self._nprocs = nprocs
        self._waiting.add(who)

    def break_up(self, errnum: int) -> None:
        """Nobody will pass any more."""
        self._errnum = self._errnum or errnum

    def count(self) -> Count:
        """What there is to report."""
        return Count(len(self._waiting), self._nprocs, self._errnum)
