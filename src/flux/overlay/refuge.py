"""Whom a broker asks to become its parent when it has lost the one it had."""

from flux.overlay.routes import Claim


def refuges(line: list[Claim], *, parent_lives: bool) -> list[Claim]:
    """Who to ask, in this order, by a broker that `line` was above of: the parent first, rank 0 last.

    A parent that is gone is asked last of all: it may be only its connection that broke.
    """
    if parent_lives:
        return list(line)
    return [*line[1:], *line[:1]]
