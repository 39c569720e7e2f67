"""What values become together, and how a broker reports what its callers brought. Pure."""

from collections.abc import Callable, Iterable
from errno import ECONNABORTED, EEXIST, EINVAL
from typing import Any, NamedTuple

import msgspec

WHY = {
    ECONNABORTED: "broken: a caller left or entered twice",
    EINVAL: "its callers disagree on op or nprocs",
}
"""What is wrong with a reduction that breaks, by errno."""

_text = msgspec.json.Encoder(order="deterministic").encode

NUMBERS: dict[str, Callable[[Any, Any], Any]] = {"sum": lambda a, b: a + b, "min": min, "max": max}
COLLECTIONS = ("set", "list")
OPS = (*NUMBERS, *COLLECTIONS)


def lifted(op: str, value: Any) -> Any:
    """What one caller brings, as it is folded. OSError(EINVAL) for an unknown op, and for what is no number."""
    if op in COLLECTIONS:
        return [value]
    if op not in NUMBERS:
        raise OSError(EINVAL, f"there is no op '{op:.20}' (there are {', '.join(OPS)})")
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise OSError(EINVAL, f"{op} is for numbers")
    return value


def folded(op: str, first: Any, second: Any) -> Any:
    """Two values as one."""
    if op in NUMBERS:
        return NUMBERS[op](first, second)
    both = [*first, *second]
    return both if op == "list" else [value for _, value in sorted({_text(value): value for value in both}.items())]


class Report(NamedTuple):
    """How a reduction stands: who has come, of how many, with what; errnum says that it cannot be any more."""

    come: int
    nprocs: int = 0
    op: str = ""
    value: Any = None
    errnum: int = 0

    def with_other(self, other: "Report") -> "Report":
        """Two reports of one reduction as one."""
        if not (self.come and other.come):
            report = self if self.come else other
            return report._replace(errnum=self.errnum or other.errnum)
        errnum = self.errnum or other.errnum
        if (self.nprocs, self.op) != (other.nprocs, other.op):
            return Report(self.come + other.come, self.nprocs, self.op, None, errnum or EINVAL)
        value = None if errnum else folded(self.op, self.value, other.value)
        return Report(self.come + other.come, self.nprocs, self.op, value, errnum)

    @property
    def decided(self) -> bool:
        """Whether everybody can be told."""
        return self.errnum != 0 or (self.nprocs > 0 and self.come >= self.nprocs)


def merged(reports: Iterable[Any]) -> Report:
    """The reports of several links as one; they may have been lists on the way."""
    total = Report(0)
    for report in reports:
        total = total.with_other(Report(*report))
    return total


class Fold:
    """What the callers of one broker bring to one reduction. One that is broken takes nobody in."""

    def __init__(self) -> None:
        self.report = Report(0)
        self._come: set[bytes] = set()

    def enter(self, who: bytes, nprocs: int, op: str, value: Any) -> None:
        """Takes what somebody brings. EEXIST (once is enough) and EINVAL (others want something else) break it."""
        if nprocs < 1:
            raise OSError(EINVAL, f"nprocs must be at least 1, not {nprocs}")
        own = Report(1, nprocs, op, lifted(op, value))
        if who in self._come:
            self.break_up(ECONNABORTED)
            raise OSError(EEXIST, "entered twice by the same client")
        after = self.report.with_other(own)
        if after.errnum:
            self.break_up(after.errnum)
            raise OSError(after.errnum, WHY[after.errnum])
        self.report = after
        self._come.add(who)

    def break_up(self, errnum: int) -> None:
        """Nobody will get a value any more."""
        self.report = self.report._replace(errnum=self.report.errnum or errnum, value=None)
