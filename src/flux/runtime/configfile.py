"""Configurations from files: all of a directory, one file, or what somebody writes on a command line."""

import os
from errno import EINVAL, ENOENT

from flux.base.config import Config, Source, from_json, from_toml, joined


def read_config(path: str = "", more: tuple[str, ...] = ()) -> Config:
    """Reads what `path` names, if anything, then `more`, which prevails: each a file, TOML, JSON, or KEY=VALUE.

    OSError names a file that cannot be read; with a line, one that cannot be understood.
    """
    return joined(*(from_path(path) if path else ()), *(said(text) for text in more))


def from_path(path: str) -> list[Source]:
    """All *.toml of a directory in the order of their names, or the one file that is named."""
    if not os.path.isdir(path):
        return [from_file(path)]
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith(".toml") and not name.startswith("."))
    except OSError as error:
        raise _named(path, error) from None
    return [from_file(os.path.join(path, name)) for name in names]


def from_file(path: str) -> Source:
    """One file: JSON if it is called so, else TOML."""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except UnicodeDecodeError:
        raise OSError(EINVAL, f"{path}: not UTF-8") from None
    except OSError as error:
        raise _named(path, error) from None
    return from_json(text, path) if path.endswith(".json") else from_toml(text, path)


def said(text: str, name: str = "--conf") -> Source:
    """What somebody writes in place of a file."""
    if text.lstrip().startswith("{"):
        return from_json(text, name)
    if "\n" in text:
        return from_toml(text, name)
    key, equals, value = text.partition("=")
    if not equals:
        return from_file(text)
    return Source(name, _nested(key, value, name))


def _nested(key: str, value: str, name: str) -> dict[str, object]:
    """KEY=VALUE as tables in tables; what is not JSON is a string."""
    from json import JSONDecodeError, loads

    words = key.split(".")
    if not all(words):
        raise OSError(EINVAL, f"{name}: '{key}' is not the name of a key")
    try:
        inner: object = loads(value)
    except (JSONDecodeError, RecursionError):
        inner = value
    for word in reversed(words):
        inner = {word: inner}
    assert isinstance(inner, dict)
    return inner


def _named(path: str, error: OSError) -> OSError:
    return OSError(error.errno or ENOENT, f"{path}: {error.strerror or error}")
