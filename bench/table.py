"""What was measured, as a table and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bench.contender import Value
from bench.figures import Figure
from bench.turns import Samples, middle

HEADS = ("what", "unit", "ours", "other", "ratio", "at least", "")
WORDS = {True: "met", False: "missed", None: ""}


class Row(NamedTuple):
    """A figure, ours and the other's; the other's is None when there is no other."""

    figure: Figure
    ours: Value
    other: Value | None

    @property
    def ratio(self) -> float | None:
        """How many times as good ours is."""
        if isinstance(self.ours, str) or isinstance(self.other, str | None):
            return None
        return self.figure.ratio(self.ours, self.other)

    @property
    def met(self) -> bool | None:
        """Whether it is as good as we want; None when we want nothing, or cannot tell."""
        if self.figure.least is None or isinstance(self.ours, str):
            return None
        return self.figure.least.met(self.ours, self.ratio)

    def cells(self) -> list[str]:
        """Its line of the table."""
        ratio = "" if self.ratio is None else f"{self.ratio:.1f} x"
        least = "" if self.figure.least is None else str(self.figure.least)
        other = "" if self.other is None else text(self.other)
        return [self.figure.text, self.figure.unit, text(self.ours), other, ratio, least, WORDS[self.met]]


def text(value: Value) -> str:
    """Three digits that mean something, and no more than a reader can take in."""
    if isinstance(value, str):
        return value
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def rows(figures: tuple[Figure, ...], samples: list[Samples]) -> list[Row]:
    """A row for each figure that was measured."""
    ours, others = samples[0], samples[1:]
    return [
        Row(figure, middle(ours[figure.name]), middle(others[0].get(figure.name, ())) if others else None)
        for figure in figures
        if figure.name in ours
    ]


def table(found: list[Row]) -> str:
    """Lines of equal columns: words to the left, numbers to the right."""
    lines = [list(HEADS), *(row.cells() for row in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(pad, line, widths, range(len(line)))).rstrip() for line in lines)


def pad(cell: str, width: int, column: int) -> str:
    """A cell as wide as its column."""
    return cell.ljust(width) if column < 2 or column == len(HEADS) - 1 else cell.rjust(width)


def footer(machine: Mapping[str, object], loads: Sequence[float | None]) -> str:
    """The machine that the figures are of, and how busy it was with other things as well."""
    return (
        "{cores} cores ({processor}), {memory_gb} GB, {kernel}, Python {python}; load average {before}, then {after}\n"
        "two processes pass a message there and back in {round_trip_us} us (on one core, on two)"
    ).format(**machine, before=loads[0], after=loads[1])


def as_json(found: list[Row], samples: list[Samples]) -> list[dict[str, Any]]:
    """All of it for programs, with every sample."""
    return [
        {
            "name": row.figure.name,
            "what": row.figure.text,
            "unit": row.figure.unit,
            "ours": row.ours,
            "other": row.other,
            "ratio": row.ratio,
            "least": None if row.figure.least is None else str(row.figure.least),
            "met": row.met,
            "samples": [each.get(row.figure.name, []) for each in samples],
        }
        for row in found
    ]
