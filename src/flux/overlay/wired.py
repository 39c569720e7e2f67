"""The tree as it is wired now, put together from what its brokers say of their children. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any


def wired(top: int, children: Mapping[int, Sequence[int]], others: Mapping[int, int]) -> dict[str, Any]:
    """The tree below `top`: {rank, size, children}, as today's clients read it.

    `others` belong into it as well, wherever nobody says to have them: each below the rank that it names. A rank that
    two claim, because it is just moving, is shown once.
    """
    below: dict[int, list[int]] = {top: []}
    order = [top]
    for rank in order:
        for child in sorted(children.get(rank, ())):
            if child not in below:
                below[child] = []
                below[rank].append(child)
                order.append(child)
    for rank, where in others.items():
        if rank not in below:
            below[rank] = []
            below[where if where in below else top].append(rank)
    return _tree(top, below)


def _tree(rank: int, below: Mapping[int, Sequence[int]]) -> dict[str, Any]:
    children = [_tree(child, below) for child in sorted(below[rank])]
    return {"rank": rank, "size": 1 + sum(child["size"] for child in children), "children": children}
