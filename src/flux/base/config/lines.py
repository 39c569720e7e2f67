"""Which line of a TOML text says a key. Only for complaints: the text is known to be well-formed."""

import re
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
"""Keys from the outermost table inwards; a number is a place in an array."""

_lexeme = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # strings, in which nothing else means anything
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*|[\[\]{}]|\n",
    re.DOTALL,
)


def line_of(text: str, path: Path) -> int:
    """The line on which the statement begins that says `path`, or as much of it as is said; 0 for none of it."""
    lines: dict[Path, int] = {}
    for line, found in _paths(text):
        lines.setdefault(found, line)
    return next((lines[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in lines), 0)


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Headers and key/value pairs with the lines on which they begin; also what is empty or only a comment."""
    line = first = 1
    start = depth = 0
    for lexeme in _lexeme.finditer(text):
        token = lexeme[0]
        line += token.count("\n")
        depth += (token in ("[", "{")) - (token in ("]", "}"))
        if token == "\n" and depth == 0:
            yield first, text[start : lexeme.start()]
            start, first = lexeme.end(), line
    yield first, text[start:]


def _paths(text: str) -> Iterator[tuple[int, Path]]:
    """All that the statements say, headers among it; an element of an array of tables has its number."""
    import tomllib

    table: Path = ()
    counts: dict[Path, int] = {}
    for line, statement in statements(text):
        said = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _header(said, counts)
            for depth in range(1, len(table) + 1):
                yield line, table[:depth]
        else:
            for found in _below(said, table):
                yield line, found


def _header(said: Any, counts: dict[Path, int]) -> Path:
    """The path of a table by its header; the elements of an array of tables are counted."""
    path: Path = ()
    while said:
        if isinstance(said, list):
            counts[path] = counts.get(path, -1) + 1
            return (*path, counts[path])
        ((key, said),) = said.items()
        if path in counts:
            path = (*path, counts[path])
        path = (*path, key)
    return path


def _below(said: dict[str, Any], table: Path) -> Iterator[Path]:
    for key, value in said.items():
        yield (*table, key)
        if isinstance(value, dict):
            yield from _below(value, (*table, key))
