"""The module table of this site: run level 1, and what modprobe.toml and modprobe.d/*.toml change of it."""

import os
import sys
from collections.abc import Iterator
from errno import EINVAL
from functools import cache

from flux.base.modprobe import Facts, Modprobe
from flux.base.rc1 import MODULES


def table() -> Modprobe:
    """Reads it, once. OSError names the file, and the line or key, of what is wrong."""
    default = os.path.join(sys.prefix, "etc", "flux", "modprobe")
    folders = os.environ.get("FLUX_MODPROBE_PATH", default).split(":")
    folders += os.environ.get("FLUX_MODPROBE_PATH_APPEND", "").split(":")
    return _table(tuple(filter(None, folders)), os.environ.get("FLUX_MODPROBE_DISABLE", ""))


@cache
def _table(folders: tuple[str, ...], disabled: str) -> Modprobe:
    """Before brokers are forked, so that they need not read it again."""
    made = Modprobe(MODULES)
    for path in _files(folders):
        _read(made, path)
    for name in disabled.split(","):
        made.disable(name)
    return made


def env(name: str) -> bool:
    """Whether an environment variable is set."""
    return name in os.environ


def _files(folders: tuple[str, ...]) -> Iterator[str]:
    """In the order in which they count, the last most."""
    for folder in folders:
        yield os.path.join(folder, "modprobe.toml")
        more = os.path.join(folder, "modprobe.d")
        if os.path.isdir(more):
            yield from (os.path.join(more, name) for name in sorted(os.listdir(more)) if name.endswith(".toml"))


def _read(made: Modprobe, path: str) -> None:
    if not os.path.isfile(path):
        return
    import tomllib

    try:
        with open(path, "rb") as file:
            made.read(tomllib.load(file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OSError(EINVAL, f"{path}: {error}") from None
    except OSError as error:
        raise OSError(error.errno, f"{path}: {error.strerror}") from None


__all__ = ["Facts", "env", "table"]
