"""Files that a job brings with it (RFC 37), as its jobspec has them."""

import os
import stat
from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any

PRIVATE = 0o600


def fileref(data: Any, perms: int | None = None, encoding: str | None = None) -> dict[str, Any]:
    """A file: a dict, text, or with neither an `encoding` nor an end of line in it, the file at that path.

    ValueError for an unknown encoding, OSError for a file that cannot be read.
    """
    if isinstance(data, Mapping):
        return {"mode": stat.S_IFREG | (PRIVATE if perms is None else perms), "data": data}
    if encoding is None and "\n" not in data:
        return _read(data)
    if encoding not in (None, "utf-8", "base64"):
        raise ValueError(f"invalid encoding: {encoding}")
    return {"mode": stat.S_IFREG | (PRIVATE if perms is None else perms), "data": data, "encoding": encoding or "utf-8"}


def _read(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        mode, content = os.fstat(file.fileno()).st_mode, file.read()
    made: dict[str, Any] = {"mode": mode, "size": len(content)}
    try:
        return made | {"data": content.decode(), "encoding": "utf-8"}
    except UnicodeDecodeError:
        return made | {"data": b2a_base64(content, newline=False).decode(), "encoding": "base64"}


def named(text: str) -> tuple[str, str, int | None]:
    r"""Reads "PATH", "NAME=PATH", "NAME=TEXT\n" or "NAME:MODE=..." (flux-run(1), --add-file): name, data, permissions.

    A backslash and an n are an end of line. ValueError for text without a name.
    """
    name, equals, data = text.replace("\\n", "\n").partition("=")
    if not equals or not data:
        if "\n" in name:
            raise ValueError("file name missing")
        return os.path.basename(name), name, None
    plain, colon, mode = name.rpartition(":")
    try:
        return (plain, data, int(mode, 8)) if colon else (name, data, None)
    except ValueError:  # the colon belongs to the name
        return name, data, None
