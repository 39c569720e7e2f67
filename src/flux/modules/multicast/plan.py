"""Whom to ask for a set of ranks: this broker itself, a child for those below it, the parent for the rest. Pure."""

from collections.abc import Callable
from errno import EINVAL
from typing import NamedTuple

from flux.base.idset import IDset


class Part(NamedTuple):
    """Ranks that are asked by one request, which goes to the broker `rank`; None is the parent.

    A `direct` one goes past all other brokers to the only rank that it is for.
    """

    ranks: IDset
    rank: int | None
    direct: bool


def targets(text: str, size: int) -> IDset:
    """Reads which ranks are meant. OSError(EINVAL) for a malformed set, and for ranks that cannot be."""
    if text == "all":
        return IDset(range(size))
    try:
        ranks = IDset(text)
    except ValueError as error:
        raise OSError(EINVAL, f"ranks: {error}") from None
    if ranks and ranks.last() >= size:
        raise OSError(EINVAL, f"ranks {text}: this instance has ranks 0-{size - 1} only")
    return ranks


def parts(ranks: IDset, own: int, below: Callable[[int], int | None]) -> list[Part]:
    """Divides the ranks by the broker that is asked next; `below` says which child leads to a rank."""
    groups: dict[int | None, list[int]] = {}
    for rank in ranks:
        groups.setdefault(own if rank == own else below(rank), []).append(rank)
    return [_part(group, via) for via, group in groups.items()]


def _part(group: list[int], via: int | None) -> Part:
    single = len(group) == 1
    return Part(IDset(group), group[0] if single else via, single)
