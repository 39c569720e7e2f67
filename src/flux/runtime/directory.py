"""The current directory, which may be gone."""

import os
from errno import ENOENT


def current() -> str:
    """Where we are. OSError(ENOENT) says if that is gone: a bare "No such file or directory" may be about anything."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise OSError(ENOENT, "the current directory is gone") from None


def absolute(path: str) -> str:
    """A path as others understand it, who are elsewhere."""
    return path if os.path.isabs(path) else os.path.join(current(), path)
