"""Commands that are programs of their own: `flux NAME` runs flux-NAME or flux-NAME.py, found by search path."""

import os
import sys
from collections.abc import Iterator

from flux.commands.table import COMMANDS


def directories() -> Iterator[str]:
    """Where they are looked for: FLUX_EXEC_PATH, which the directory of `flux` is part of, then PATH."""
    for path in ("FLUX_EXEC_PATH", "PATH"):
        yield from filter(None, os.environ.get(path, "").split(":"))


def command_lines(name: str) -> Iterator[list[str]]:
    """What could be executed for a name, best first, whether it exists or not."""
    if "/" in name:
        yield [name]
        return
    for directory in directories():
        yield [f"{directory}/flux-{name}"]
        yield [sys.executable, f"{directory}/flux-{name}.py"]


def become(name: str, argv: list[str], verbose: bool = False) -> None:
    """Becomes the command. Returns if there is none; OSError if there is one that cannot be run."""
    for line in command_lines(name):
        if verbose:
            print(f"trying to exec {' '.join(line)}", flush=True)
        if os.path.isfile(line[-1]) and os.access(line[-1], os.R_OK if len(line) > 1 else os.X_OK):
            _execute([*line, *argv])


def names() -> set[str]:
    """All that there are."""
    return {
        entry.removeprefix("flux-").removesuffix(".py")
        for directory in directories()
        for entry in _listed(directory)
        if entry.startswith("flux-") and os.access(f"{directory}/{entry}", os.X_OK)
    }


def similar(name: str) -> list[str]:
    """Commands with a name like that one."""
    from difflib import get_close_matches

    return get_close_matches(name, sorted({*COMMANDS, *names()}), n=3, cutoff=0.7)


def _execute(line: list[str]) -> None:
    try:
        os.execv(line[0], line)
    except OSError as error:
        raise OSError(error.errno, f"{line[0]}: {error.strerror}") from None


def _listed(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []
