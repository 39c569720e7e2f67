"""Where a configuration comes from: the texts that were merged into it, so that a complaint can name file and line."""

from collections.abc import Sequence
from errno import EINVAL, ENOENT
from math import isfinite
from typing import Any, NamedTuple

from flux.base.config.lines import Path, line_of

Values = dict[str, Any]


class Source(NamedTuple):
    """What was read under some name; with the text, if that is TOML."""

    name: str
    values: Values
    toml: str = ""

    def place(self, path: Path) -> str:
        """`NAME:LINE` of a key, as far as that is known."""
        line = line_of(self.toml, path)
        return f"{self.name}:{line}" if line else self.name


def from_toml(text: str, name: str) -> Source:
    """Reads TOML. OSError(EINVAL) names file and line."""
    import tomllib  # most sessions have no files: only who has some pays for it

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).rpartition(" (at ")
        line = place.split(",")[0].removeprefix("line ")
        if not line.isdecimal():
            line = str(text.count("\n") + (not text.endswith("\n")))
        raise OSError(EINVAL, f"{name}:{line}: {_lowered(reason or str(error))}") from None
    except RecursionError:
        raise OSError(EINVAL, f"{name}: nested too deeply") from None
    source = Source(name, values, text)
    return source._replace(values=_json_table(values, (), source))


def from_json(text: str, name: str) -> Source:
    """Reads a JSON object. OSError(EINVAL) names file and line."""
    import json

    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise OSError(EINVAL, f"{name}:{error.lineno}: {_lowered(error.msg)}") from None
    except RecursionError:
        raise OSError(EINVAL, f"{name}: nested too deeply") from None
    if not isinstance(values, dict):
        raise OSError(EINVAL, f"{name}: not a JSON object")
    return Source(name, _json_table(values, (), Source(name, {})))


def merged(sources: Sequence[Source]) -> Values:
    """One table of all: tables are joined, what else is said twice is as it was said last."""
    table: Values = {}
    for source in sources:
        _update(table, source.values)
    return table


def complaint(sources: Sequence[Source], path: Path, reason: str) -> OSError:
    """What to raise about a key: names the file and the line that it is from, if it is from a file."""
    text = f"{dotted(path)}: {reason}"
    for depth in range(len(path), 0, -1):
        for source in reversed(sources):
            if _has(source.values, path[:depth]):
                return OSError(EINVAL, f"{source.place(path)}: {text}")
    return OSError(EINVAL, text)


def dotted(path: Path) -> str:
    """A path as people write it: bootstrap.hosts[2].bind."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def member(values: Values, name: str) -> Any:
    """A value by its name, with periods between the names of tables. OSError: ENOENT, or EINVAL for what is no name."""
    found: Any = values
    for word in words(name):
        if not isinstance(found, dict) or word not in found:
            raise OSError(ENOENT, f"{name} is not set")
        found = found[word]
    return found


def words(name: str) -> list[str]:
    """The keys of a name. OSError(EINVAL) if it is none."""
    found = name.split(".")
    if not all(found):
        raise OSError(EINVAL, f"'{name}' is not the name of a key")
    return found


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]


def _update(table: Values, more: Values) -> None:
    for key, value in more.items():
        here = table.get(key)
        if isinstance(here, dict) and isinstance(value, dict):
            _update(here, value)
        else:
            table[key] = _copy(value)


def _copy(value: Any) -> Any:
    """A copy of tables, which may be joined with others; arrays are replaced as a whole."""
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _has(values: Any, path: Path) -> bool:
    for key in path:
        inside = isinstance(key, int) and key < len(values) if isinstance(values, list) else isinstance(values, dict)
        if not inside or (isinstance(values, dict) and key not in values):
            return False
        values = values[key]
    return True


def _json_table(table: Values, path: Path, source: Source) -> Values:
    return {key: _json(value, (*path, key), source) for key, value in table.items()}


def _json(value: Any, path: Path, source: Source) -> Any:
    """A value as messages carry it: a time as flux-core makes one of it, and only numbers that JSON has."""
    if isinstance(value, dict):
        return _json_table(value, path, source)
    if isinstance(value, list):
        return [_json(inner, (*path, place), source) for place, inner in enumerate(value)]
    if hasattr(value, "isoformat"):
        return {"iso-8601-ts": value.isoformat().replace("+00:00", "Z")}
    if isinstance(value, float) and not isfinite(value):
        raise OSError(EINVAL, f"{source.place(path)}: {dotted(path)}: {value} is not a number that JSON has")
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise OSError(EINVAL, f"{source.place(path)}: {dotted(path)}: too large")
    return value
