"""How many of a resource may be given (RFC 14, 22, 45): one number, a range, or some numbers. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from flux.base.idset import IDset

_range = re.compile(r"(\d+)(?:-(\d+)|(\+))?(?::(\d+)(?::(.+))?)?")
MANY = 65536
"""More steps than that are refused."""


class ResourceCount:
    """Counts from `min` to `max`, which is None without an end; perhaps only some of them."""

    __slots__ = ("_values", "max", "min")

    def __init__(self, mn: int, mx: int | None, values: IDset | None = None) -> None:
        self.min, self.max = mn, mx
        self._values = values

    @classmethod
    def from_count_spec(cls, v: Any, default: int = 1) -> Self:
        """Reads the `count` of a jobspec: an integer, {"min": 2, "max": 8, "operator": "*", "operand": 2}, or text:
        "2-8", "2+", "2-8:2:*", "1,7-9", also in brackets. Anything else is `default`. ValueError says what is wrong."""
        if isinstance(v, int):
            return cls._of(v, v)
        if isinstance(v, Mapping):
            most = v.get("max")
            least, operand = int(v.get("min", default)), int(v.get("operand", 1))
            return cls._of(least, None if most is None else int(most), operand, v.get("operator", "+"))
        return cls._read(v) if isinstance(v, str) else cls(default, default)

    def scaled(self, factor: int) -> "ResourceCount":
        """All counts, so many times."""
        if factor == 1:
            return self
        values = None if self._values is None else IDset([value * factor for value in self._values])
        return ResourceCount(self.min * factor, None if self.max is None else self.max * factor, values)

    def valid_counts(self, available: int) -> Iterator[int]:
        """Yields the counts that there is enough for, the greatest first."""
        most = available if self.max is None else min(available, self.max)
        if self._values is None:
            return iter(range(most, self.min - 1, -1))
        return (value for value in reversed(list(self._values)) if value <= most)

    def __repr__(self) -> str:
        values = "" if self._values is None else f", values={self._values!r}"
        return f"ResourceCount({self.min}, {self.max}{values})"

    @classmethod
    def _read(cls, text: str) -> Self:
        plain = text.strip()
        plain = plain[1:-1] if plain.startswith("[") and plain.endswith("]") else plain
        if "," in plain:
            ids = IDset(plain)
            cls._check(ids.first())
            return cls(ids.first(), ids.last(), ids)
        match = _range.fullmatch(plain)
        if match is None:
            raise ValueError(f"RFC 14 count: '{text}' is neither a range nor an idset")
        most = None if match[3] else int(match[2] or match[1])
        return cls._of(int(match[1]), most, int(match[4] or 1), match[5] or "+")

    @classmethod
    def _of(cls, least: int, most: int | None, operand: int = 1, operator: str = "+") -> Self:
        cls._check(least)
        if most is not None and most < least:
            raise ValueError(f"RFC 14 count: max must be >= min, got max={most} min={least}")
        if operator == "+" and operand == 1:
            return cls(least, most)
        if most is None:
            raise ValueError(f"RFC 14 count: no end, and steps ({operator} {operand})")
        return cls(least, most, IDset(_steps(least, most, operator, operand)))

    @staticmethod
    def _check(least: int) -> None:
        if least < 1:
            raise ValueError(f"RFC 14 count: must be >= 1, got {least}")


def _steps(least: int, most: int, operator: str, operand: int) -> list[int]:
    if operator not in ("+", "*", "^"):
        raise ValueError(f"RFC 14 count: operator {operator!r} is not supported")
    if operand < (1 if operator == "+" else 2):
        raise ValueError(f"RFC 14 count: operator {operator!r} cannot have operand {operand}")
    if operator == "^" and least < 2:
        raise ValueError(f"RFC 14 count: operator '^' requires min >= 2, got {least}")
    found, value = [], least
    while value <= most:
        found.append(value)
        value = value + operand if operator == "+" else value * operand if operator == "*" else value**operand
        if len(found) > MANY:
            raise ValueError("RFC 14 count: too many steps")
    return found
