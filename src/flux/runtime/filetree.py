"""The files that a job brings along (RFC 37): laid below a directory of its own."""

import json
import os
from binascii import Error, a2b_base64
from collections.abc import Mapping
from errno import EINVAL
from stat import S_IFDIR, S_IFLNK, S_IFMT, S_IFREG
from typing import Any


def lay(directory: str, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Makes files, directories and symlinks, by path. OSError names the one that cannot be."""
    for name, entry in files.items():
        check(name, entry)
        path = os.path.join(directory, name)
        try:
            _make(path, entry)
        except OSError as error:
            raise OSError(error.errno, f"{path}: {error.strerror}") from None


def check(name: str, entry: Mapping[str, Any]) -> None:
    """OSError(EINVAL) for a path that leads out of the directory, or an entry that makes no sense."""
    if not name or name.startswith("/") or ".." in name.split("/") or "\0" in name:
        raise OSError(EINVAL, f"file {name!r:.40}: not a path below the job's directory")
    kind, encoding = S_IFMT(entry.get("mode", S_IFREG)), entry.get("encoding")
    if kind not in (0, S_IFREG, S_IFDIR, S_IFLNK) or encoding not in (None, "utf-8", "base64"):
        raise OSError(EINVAL, f"file {name}: mode {entry.get('mode')}, encoding {encoding}: not supported")
    if kind == S_IFLNK or encoding is not None:
        _data(name, entry)


def _make(path: str, entry: Mapping[str, Any]) -> None:
    mode = entry.get("mode", 0o600)
    os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
    match S_IFMT(mode):
        case kind if kind == S_IFDIR:
            os.makedirs(path, mode & 0o777, exist_ok=True)
        case kind if kind == S_IFLNK:
            os.symlink(_data(path, entry), path)
        case _:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with open(os.open(path, flags, mode & 0o777), "wb") as file:
                file.write(_data(path, entry))


def _data(name: str, entry: Mapping[str, Any]) -> bytes:
    data, encoding = entry.get("data", ""), entry.get("encoding")
    if encoding is None and not isinstance(data, str):
        return json.dumps(data).encode()
    try:
        return a2b_base64(data, strict_mode=True) if encoding == "base64" else data.encode()
    except (Error, AttributeError, TypeError, ValueError):
        raise OSError(EINVAL, f"file {name}: data is not {encoding or 'text'}") from None
