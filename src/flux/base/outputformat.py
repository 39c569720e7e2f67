"""The format strings of listings (flux-jobs(1), OUTPUT FORMAT): Python's, with prefixes for whole columns. Pure.

`?:` leaves a column out in which nothing is, `+:` makes it as wide as its longest value, `?+:` does both. At the end of
a spec, `h` writes `-` for what is empty or 0, `+` marks what was cut short. Conversions: !D and !d times, !F durations,
!H hours:minutes:seconds, !P percent. `sort:-key,key ` at the beginning orders the lines.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil
from string import Formatter
from typing import Any, NamedTuple

from flux.base.invalid import Invalid

Getter = Callable[[Any, str], Any]
"""Gives a field of a record; KeyError for one that there is not."""
EMPTY = ("", 0, 0.0, None, "0s", "0.0", "0:00:00", "1970-01-01T00:00:00")
_prefix = re.compile(r"(\?\+|\?|\+):$")
_spec = re.compile(r"(.?[<>=^])?([+\- ]?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([a-zA-Z%]?)$")
_parse = Formatter().parse


class Column(NamedTuple):
    """One field, with what is before it."""

    before: str
    field: str
    spec: str
    conversion: str
    optional: bool = False
    """Whether it is left out where it is empty in all lines."""
    widen: bool = False
    marks: bool = False
    """Whether a value that is cut short ends in +."""
    hyphen: bool = False


class OutputFormat:
    """One format."""

    def __init__(self, text: str, headings: Mapping[str, str]) -> None:
        """`headings` are the fields that there are, by name. Raises Invalid."""
        self.sort: list[str] = []
        if text.startswith("sort:"):
            keys, _, text = text.removeprefix("sort:").partition(" ")
            self.sort = keys.split(",")
        self._headings = headings
        self.columns, self._after = _columns(text)
        for column in self.columns:
            if column.field not in headings:
                raise Invalid(f"Unknown format field: {column.field}")

    @property
    def fields(self) -> list[str]:
        """The fields that it has."""
        return [column.field for column in self.columns] + [key.removeprefix("-") for key in self.sort]

    def lines(self, records: Sequence[Any], get: Getter, *, heading: bool = True) -> list[str]:
        """All lines, the first one with the names of the columns."""
        records = self.ordered(records, get)
        shown = []
        cells = []
        for column in self.columns:
            values = [_text(column, get(record, column.field)) for record in records]
            if column.optional and all(value.strip() in ("", "-") for value in values):
                continue
            if column.widen:
                column = _widened(column, values)
                values = [_text(column, get(record, column.field)) for record in records]
            shown.append(column)
            cells.append(values)
        found = [self._heading(shown)] if heading else []
        for row in range(len(records)):
            parts = [column.before + values[row] for column, values in zip(shown, cells, strict=True)]
            found.append("".join(parts) + self._after)
        return found

    def ordered(self, records: Sequence[Any], get: Getter) -> Sequence[Any]:
        """The records in the order of the lines."""
        for key in reversed(self.sort):
            records = sorted(records, key=lambda one: get(one, key.removeprefix("-")), reverse=key.startswith("-"))
        return records

    def _heading(self, columns: Iterable[Column]) -> str:
        return "".join(c.before + _heading(c, self._headings[c.field]) for c in columns) + self._after


def _columns(text: str) -> tuple[list[Column], str]:
    columns, after = [], ""
    try:
        parts = list(_parse(text))
    except ValueError as error:
        raise Invalid(f"invalid format: {error}") from None
    for before, field, spec, conversion in parts:
        if field is None:
            after = before
            continue
        match = _prefix.search(before)
        flags = match[1] if match is not None else ""
        before = before[: match.start()] if match is not None else before
        spec = spec or ""
        hyphen = spec.endswith("h") and not spec.endswith("%h")
        spec = spec[:-1] if hyphen else spec
        marks = spec.endswith("+")
        spec = spec[:-1] if marks else spec
        columns.append(Column(before, field, spec, conversion or "", "?" in flags, "+" in flags, marks, hyphen))
    return columns, after


def _heading(column: Column, name: str) -> str:
    match = _spec.search(_width_spec(column))
    align, width = (match[1] or "", match[5]) if match is not None else ("", "")
    if not width:
        return name
    return format(name, f"{align or '<'}{width}")


def _width_spec(column: Column) -> str:
    """The part of a spec that is not a format of times."""
    return column.spec.rpartition("::")[2] if column.conversion in ("d", "D") else column.spec


def _widened(column: Column, values: list[str]) -> Column:
    """As wide as the longest value; a precision that would cut it is gone."""
    match = _spec.search(_width_spec(column))
    if match is None:
        return column
    width = max([int(match[5] or 0), *(len(value.strip()) for value in values)])
    spec = f"{match[1] or ''}{width}"
    return column._replace(spec=spec, marks=False)


def _text(column: Column, value: Any) -> str:
    converted = CONVERT[column.conversion](value, column.spec) if column.conversion in CONVERT else value
    if column.conversion in PLAIN:
        converted = PLAIN[column.conversion](value)
    if column.hyphen and (converted in EMPTY or value in EMPTY):
        converted = "-"
    spec = _width_spec(column)
    match = _spec.match(spec)
    if match is not None and isinstance(converted, str):
        if match[7] and column.marks and len(converted) > int(match[7]):
            converted = converted[: int(match[7]) - 1] + "+"
        if match[8] and match[8] != "s":
            spec = spec[: -len(match[8])]
    if converted is None:
        converted = ""
    try:
        return format(converted, spec)
    except (ValueError, TypeError):
        try:
            return format(str(converted), spec)
        except ValueError:
            raise Invalid(f"invalid format: {{{column.field}:{column.spec}}}") from None


def duration(seconds: float) -> str:
    """A duration as listings have it: 0.010s, 59.74s, 1.5h."""
    if seconds < 1e-3:
        return "0s"
    if seconds < 10:
        return f"{seconds:.3f}s"
    for limit, unit, per in ((60, "s", 1), (3600, "m", 60), (86400, "h", 3600)):
        if seconds < limit:
            return f"{seconds / per:.4g}{unit}"
    return f"{seconds / 86400:.4g}d"


def _fsd(value: Any, spec: str) -> str:
    return duration(float(value)) if isinstance(value, int | float) else str(value or "")


def _clock(value: Any, spec: str) -> str:
    if not isinstance(value, int | float):
        return str(value or "")
    seconds = ceil(value)
    days, rest = divmod(seconds, 86400)
    text = f"{rest // 3600}:{rest % 3600 // 60:02}:{rest % 60:02}"
    return f"{days} day{'s' * (days != 1)}, {text}" if days else text


def _iso(value: Any, spec: str) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(value).strftime("%FT%T") if value else ""


def _date(value: Any, spec: str) -> str:
    from datetime import datetime

    way = spec.rpartition("::")[0] if "::" in spec else spec
    if not value:
        return ""
    return datetime.fromtimestamp(value).strftime(way or "%FT%T")


def _percent(value: Any, spec: str) -> str:
    if not isinstance(value, int | float):
        return str(value or "")
    return f"{100 * value:.3g}%"


PLAIN: dict[str, Callable[[Any], str]] = {"r": repr, "s": str, "a": ascii}
CONVERT: dict[str, Callable[[Any, str], str]] = {"F": _fsd, "H": _clock, "D": _iso, "d": _date, "P": _percent}
