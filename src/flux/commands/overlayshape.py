"""`flux overlay reshape`: brokers move, one after the other, until the tree has another shape."""

import sys
from argparse import Namespace
from collections.abc import Iterator

from flux.base.idset import IDset
from flux.commands import ranks
from flux.core.handle import Flux
from flux.overlay.topology import Topology, topology


def reshape(handle: Flux, args: Namespace) -> int:
    """Runs `flux overlay reshape`. Who is missing is left out: those below it come below the next one above."""
    size = int(handle.attr_get("size"))
    shape, missing = topology(args.topology, size), ranks.missing(handle)
    # who is to be above is there before who is to be below
    there = sorted((rank for rank in range(1, size) if rank not in missing), key=shape.level)
    moved = sum(_place(handle, rank, _wanted(shape, rank, missing)) for rank in _watched(there))
    without = f" without {IDset(missing)}" if missing else ""
    print(f"{moved} of {size} brokers moved: {shape}{without}")
    return 0


def _watched(ranks: list[int]) -> Iterator[int]:
    """The ranks; on a terminal it is shown how far it has come, for each one takes a moment."""
    shown = sys.stderr.isatty()
    for done, rank in enumerate(ranks):
        if shown:
            sys.stderr.write(f"\r{done} of {len(ranks)} brokers are in their place")
            sys.stderr.flush()
        yield rank
    if shown:
        sys.stderr.write("\r\x1b[K")


def _wanted(shape: Topology, rank: int, missing: set[int]) -> int:
    parent = shape.parent(rank) or 0
    return _wanted(shape, parent, missing) if parent in missing else parent


def _place(handle: Flux, rank: int, parent: int) -> bool:
    """Makes a rank a child of another; says whether that was anything new."""
    if _above(handle, rank)[:1] == [parent]:
        return False
    way = [parent, *_above(handle, parent)]
    if rank in way:  # that would make a loop: the one that is in the way moves to rank 0 first
        ranks.ask(handle, way[way.index(rank) - 1], "overlay.reparent", {"rank": 0})
    ranks.ask(handle, rank, "overlay.reparent", {"rank": parent})
    return True


def _above(handle: Flux, rank: int) -> list[int]:
    above: list[int] = ranks.ask(handle, rank, "overlay.line")["ranks"]
    return above
