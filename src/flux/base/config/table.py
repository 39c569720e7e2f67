"""One table of a configuration, taken key by key. Whatever does not fit is refused under its whole name."""

from collections.abc import Callable, Iterator
from math import inf
from typing import Any, NoReturn

from flux.base.config.lines import Path
from flux.base.duration import parse_fsd

KINDS = {str: "a string", bool: "a boolean", int: "an integer", float: "a float", dict: "a table", list: "an array"}
Complaint = Callable[[Path, str], OSError]


class Table:
    """Reads the values of one table; `end` refuses keys that nobody has asked for."""

    def __init__(self, values: Any, path: Path, complaint: Complaint) -> None:
        self.path, self._complaint = path, complaint
        if not isinstance(values, dict):
            raise complaint(path, _mismatch(dict, values))
        self._values: dict[str, Any] = values
        self._known: list[str] = []

    def refuse(self, name: str, reason: str) -> NoReturn:
        """Says what is wrong with a key."""
        raise self._complaint((*self.path, name), reason)

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        return str(self._of(name, str, default))

    def flag(self, name: str) -> bool:
        """A boolean, false unless it is there."""
        return bool(self._of(name, bool, False))

    def number(self, name: str, default: int, least: int, most: int | None = None) -> int:
        """An integer from `least` to `most`."""
        value = int(self._of(name, int, default))
        if name in self._values and not (least <= value and (most is None or value <= most)):
            self.refuse(
                name, f"must be {f'{least} to {most}' if most is not None else f'{least} or more'}, not {value}"
            )
        return value

    def seconds(self, name: str, default: float, *, least: float = 0.0, most: float = inf) -> float:
        """A duration (RFC 23)."""
        if name not in self._values:
            self._known.append(name)
            return default
        text = self.text(name)
        try:
            value = parse_fsd(text)
        except ValueError:
            self.refuse(name, f'\'{text}\' is not a duration (like "2s", "500ms" or "1.5m")')
        if not least <= value <= most:
            self.refuse(name, f"'{text}' is too {'short' if value < least else 'long'}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """An array of strings."""
        values = self._of(name, list, [])
        for place, value in enumerate(values):
            if not isinstance(value, str):
                raise self._complaint((*self.path, name, place), _mismatch(str, value))
        return tuple(values)

    def table(self, name: str) -> "Table":
        """A table in this one; an empty one unless it is there."""
        return Table(self._of(name, dict, {}), (*self.path, name), self._complaint)

    def tables(self, name: str) -> "Iterator[Table]":
        """An array of tables."""
        for place, value in enumerate(self._of(name, list, [])):
            yield Table(value, (*self.path, name, place), self._complaint)

    def end(self) -> None:
        """Refuses a key that means nothing here: most likely it is misspelt."""
        for name in self._values:
            if name not in self._known:
                self.refuse(name, f"unknown key (known: {', '.join(self._known)})")

    def _of(self, name: str, kind: type, default: Any) -> Any:
        self._known.append(name)
        value = self._values.get(name, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.refuse(name, _mismatch(kind, value))
        return value


def _mismatch(kind: type, value: Any) -> str:
    return f"must be {KINDS[kind]}, not {KINDS.get(type(value), 'null')}"
