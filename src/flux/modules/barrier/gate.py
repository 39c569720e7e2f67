"""One barrier as one broker sees it: who waits here, and how many wait in all. Pure."""

from errno import EEXIST, EINVAL
from typing import Any, NamedTuple


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


NONE = Count(0, 0)


def merged(values: Any) -> Count:
    """The reports of several links as one."""
    total = NONE
    for value in values:
        total = total.with_other(Count(*value))
    return total


class Gate:
    """The waiters of one broker at one barrier."""

    def __init__(self, nprocs: int) -> None:
        self.nprocs = nprocs
        self.errnum = 0
        self._waiting: set[bytes] = set()

    def enter(self, who: bytes, nprocs: int) -> None:
        """Lets somebody in. OSError: EINVAL for another number of processes, EEXIST for who is in already."""
        if nprocs != self.nprocs:
            raise OSError(EINVAL, f"nprocs is {nprocs}, others wait for {self.nprocs}")
        if who in self._waiting:
            raise OSError(EEXIST, "entered twice by the same client")
        self._waiting.add(who)

    def count(self) -> Count:
        """What there is to report."""
        return Count(len(self._waiting), self.nprocs, self.errnum)
