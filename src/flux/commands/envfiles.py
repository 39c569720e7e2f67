"""Files with rules for a job's environment (`--env=^FILE`)."""

import os
from collections.abc import Iterable, Iterator
from errno import EINVAL


def expanded(rules: Iterable[str], depth: int = 0) -> Iterator[str]:
    """Puts the rules that a file has in its place."""
    for rule in rules:
        if not rule.startswith("^"):
            yield rule
            continue
        path = os.path.expanduser(rule[1:])
        if depth > 8:
            raise OSError(EINVAL, f"--env: {path}: files that name each other")
        try:
            with open(path, encoding="utf-8") as file:
                lines = [line.strip() for line in file]
        except OSError as error:
            raise OSError(error.errno, f"--env: {path}: {error.strerror}") from None
        yield from expanded([line for line in lines if line], depth + 1)
