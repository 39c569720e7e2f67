"""Sets of ranks, task ids and the like, and their text (RFC 22). Held as ranges: 0-1000000 is one entry."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Self, TypeAlias, Union

from flux.base.invalid import Invalid

INVALID_ID = 0xFFFFFFFE
"""What `first`, `last` and `next` answer for nothing."""
MAX_ID = 0x7FFFFFFF
BRACKETS, RANGE = 2, 4
"""Flags of `encode`."""

Range: TypeAlias = tuple[int, int]
Ids: TypeAlias = Union["IDset", str, int, Iterable[int]]


class IDset:
    """A set of integers from 0 to 2^31-1. Made from RFC 22 text, one integer, or several."""

    __slots__ = ("_ranges", "flags")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, arg: Ids = "", flags: int = RANGE) -> None:
        self.flags = flags
        self._ranges = _read(arg)

    # -- one id or range --------------------------------------------------------------------------------------------

    def test(self, i: int) -> bool:
        """Whether `i` is in the set."""
        _check(i)
        at = bisect_right(self._ranges, (i, MAX_ID)) - 1
        return at >= 0 and self._ranges[at][1] >= i

    def set(self, start: int, end: int | None = None) -> "IDset":
        """Puts `start`, or all of start..end, in. Returns the set."""
        lo, hi = _range(start, end)
        at, to = self._touched(lo - 1, hi + 1)
        if at < to:
            lo, hi = min(lo, self._ranges[at][0]), max(hi, self._ranges[to - 1][1])
        self._ranges[at:to] = [(lo, hi)]
        return self

    def clear(self, start: int, end: int | None = None) -> "IDset":
        """Takes `start`, or all of start..end, out. Returns the set."""
        lo, hi = _range(start, end)
        at, to = self._touched(lo, hi)
        self._ranges[at:to] = _difference(self._ranges[at:to], [(lo, hi)])
        return self

    def first(self) -> int:
        """The smallest id."""
        return self._ranges[0][0] if self._ranges else INVALID_ID

    def last(self) -> int:
        """The greatest id."""
        return self._ranges[-1][1] if self._ranges else INVALID_ID

    def next(self, i: int) -> int:
        """The smallest id above `i`."""
        _check(i)
        at = bisect_right(self._ranges, (i + 1, MAX_ID)) - 1
        if at >= 0 and self._ranges[at][1] > i:
            return i + 1
        return self._ranges[at + 1][0] if at + 1 < len(self._ranges) else INVALID_ID

    # -- whole sets -------------------------------------------------------------------------------------------------

    def add(self, arg: Ids) -> "IDset":
        """Puts all of `arg` in. Returns the set."""
        self._ranges = _union(self._ranges, _read(arg))
        return self

    def subtract(self, arg: Ids) -> "IDset":
        """Takes all of `arg` out. Returns the set."""
        self._ranges = _difference(self._ranges, _read(arg))
        return self

    def union(self, *args: Ids) -> "IDset":
        """A new set: what is in any of them."""
        return self._new(_union(self._ranges, *map(_read, args)))

    def intersect(self, *args: Ids) -> "IDset":
        """A new set: what is in all of them."""
        ranges = self._ranges
        for arg in args:
            ranges = _difference(ranges, _difference([(0, MAX_ID)], _read(arg)))
        return self._new(ranges)

    def difference(self, *args: Ids) -> "IDset":
        """A new set: what is in this one and in none of the others."""
        ranges = self._ranges
        for arg in args:
            ranges = _difference(ranges, _read(arg))
        return self._new(ranges)

    def equal(self, other: "IDset") -> bool:
        """Whether both hold the same ids."""
        if not isinstance(other, IDset):
            raise TypeError(f"an IDset is compared with {type(other).__name__}")
        return self._ranges == other._ranges

    def copy(self) -> "IDset":
        """Another set with the same ids."""
        return self._new(list(self._ranges))

    def ranges(self) -> list[Range]:
        """The ids as ascending ranges (first, last) with gaps between them."""
        return list(self._ranges)

    # -- as list and text -------------------------------------------------------------------------------------------

    def expand(self) -> list[int]:
        """The ids as a list."""
        return list(self)

    def count(self) -> int:
        """How many ids there are."""
        return sum(hi - lo + 1 for lo, hi in self._ranges)

    def encode(self, flags: int | None = None) -> str:
        """The set as text; with RANGE "0-2", else "0,1,2"; with BRACKETS "[0-2]" unless it is one id."""
        flags = self.flags if flags is None else flags
        if flags & RANGE:
            text = ",".join(str(lo) if lo == hi else f"{lo}-{hi}" for lo, hi in self._ranges)
        else:
            text = ",".join(map(str, self))
        return f"[{text}]" if flags & BRACKETS and self.first() != self.last() else text

    def set_flags(self, flags: int) -> None:
        """Sets the flags that `encode` and str() take when none are given."""
        self.flags = flags

    def _touched(self, lo: int, hi: int) -> tuple[int, int]:
        """The slice of ranges that share an id with lo..hi."""
        at = bisect_left(self._ranges, (lo, 0))
        if at and self._ranges[at - 1][1] >= lo:
            at -= 1
        return at, bisect_right(self._ranges, (hi, MAX_ID))

    def _new(self, ranges: list[Range]) -> "IDset":
        made = IDset(flags=self.flags)
        made._ranges = ranges
        return made

    def __str__(self) -> str:
        return self.encode()

    def __repr__(self) -> str:
        return f"IDset('{self.encode(RANGE)}')"

    def __len__(self) -> int:
        return self.count()

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(range(lo, hi + 1) for lo, hi in self._ranges)

    def __contains__(self, i: int) -> bool:
        return self.test(i)

    def __getitem__(self, i: int) -> bool:
        return self.test(i)

    def __setitem__(self, i: int, value: bool | int) -> None:
        if value not in (0, 1):
            raise TypeError(f"an id is True or False, not {value!r}")
        self.set(i) if value else self.clear(i)

    def __eq__(self, other: object) -> bool:
        return self.equal(other)  # type: ignore[arg-type]

    def __add__(self, arg: Ids) -> "IDset":
        return self.union(arg)

    __or__ = __add__

    def __sub__(self, arg: Ids) -> "IDset":
        return self.difference(arg)

    def __and__(self, arg: Ids) -> "IDset":
        return self.intersect(arg)

    def __iadd__(self, arg: Ids) -> Self:
        self.add(arg)
        return self

    def __isub__(self, arg: Ids) -> Self:
        self.subtract(arg)
        return self


def decode(text: str) -> IDset:
    """Reads an idset. Raises ValueError that names what is wrong."""
    return IDset(text)


def _read(arg: Ids) -> list[Range]:
    if isinstance(arg, IDset):
        return list(arg._ranges)
    if isinstance(arg, str):
        return _parse(arg)
    if isinstance(arg, int):
        return [_range(arg)]
    if isinstance(arg, Iterable):
        return _union([_range(i) for i in sorted(arg)])
    raise TypeError(f"an idset is made of text or integers, not {type(arg).__name__}")


def _parse(text: str) -> list[Range]:
    inner = text[1:-1] if len(text) >= 2 and text[0] == "[" and text[-1] == "]" else text
    if "[" in inner or "]" in inner:
        raise Invalid(f"idset '{text}': mismatched or nested brackets")
    ranges: list[Range] = []
    last = -1
    for token in filter(None, inner.split(",")):
        first, dash, end = token.partition("-")
        lo = _number(first, token)
        hi = _number(end, token) if dash else lo
        if dash and hi <= lo:
            raise Invalid(f"error parsing range '{token}'")
        if lo <= last:
            raise Invalid(f"range '{token}' is out of order")
        if ranges and lo == last + 1:
            ranges[-1] = (ranges[-1][0], hi)
        else:
            ranges.append((lo, hi))
        last = hi
    return ranges


def _number(digits: str, token: str) -> int:
    if not (digits.isascii() and digits.isdigit()) or (digits[0] == "0" and len(digits) > 1):
        raise Invalid(f"error parsing range '{token}'")
    # The length is looked at first: turning millions of digits into an integer takes hours.
    if len(digits) > 10 or int(digits) > MAX_ID:
        raise Invalid(f"'{token}' is beyond the largest id, {MAX_ID}" if len(token) < 80 else "id is too large")
    return int(digits)


def _check(i: Any) -> None:
    if not isinstance(i, int):
        raise TypeError(f"an id is an integer, not {type(i).__name__}")
    if i < 0:
        raise Invalid(f"negative id {i}")


def _range(start: int, end: int | None = None) -> Range:
    last = start if end is None else end
    _check(start)
    _check(last)
    if last < start:
        raise Invalid(f"range ends before it begins: {start}-{last}")
    if last > MAX_ID:
        raise Invalid(f"{last} is beyond the largest id, {MAX_ID}")
    return start, last


def _union(*several: list[Range]) -> list[Range]:
    merged: list[Range] = []
    for lo, hi in sorted(chain.from_iterable(several)):
        if merged and lo <= merged[-1][1] + 1:
            if hi > merged[-1][1]:
                merged[-1] = (merged[-1][0], hi)
        else:
            merged.append((lo, hi))
    return merged


def _difference(ranges: list[Range], holes: list[Range]) -> list[Range]:
    """What is left of `ranges` without `holes`; both ascend and have gaps."""
    if not holes:
        return list(ranges)
    left: list[Range] = []
    at = max(bisect_left(holes, (ranges[0][0], 0)) - 1, 0) if ranges else 0
    for lo, hi in ranges:
        while at < len(holes) and holes[at][1] < lo:
            at += 1
        look = at
        while look < len(holes) and holes[look][0] <= hi:
            if holes[look][0] > lo:
                left.append((lo, holes[look][0] - 1))
            lo = holes[look][1] + 1
            look += 1
        if lo <= hi:
            left.append((lo, hi))
        at = max(look - 1, at)
    return left
