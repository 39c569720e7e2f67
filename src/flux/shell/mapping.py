"""The order in which tasks are given to nodes (flux-shell(1), taskmap): RFC 34 maps by scheme. Pure."""

from collections.abc import Sequence

from flux.base.invalid import Invalid
from flux.base.taskmap import Taskmap


def mapping(scheme: str, value: str, counts: Sequence[int]) -> Taskmap:
    """So many tasks on each node, in the order of `block`, `cyclic[:N]` or `manual:MAP`. Raises Invalid."""
    match scheme:
        case "block":
            return Taskmap.of_nodes(node for node, count in enumerate(counts) for _ in range(count))
        case "cyclic":
            return _cyclic(value, counts)
        case "manual":
            return _manual(value, counts)
    raise Invalid(f"taskmap: no such scheme: {scheme} (block, cyclic, manual)")


def _cyclic(value: str, counts: Sequence[int]) -> Taskmap:
    stride = int(value) if value.isdecimal() else 0 if value else 1
    if not stride:
        raise Invalid(f"taskmap cyclic: '{value}' is not a number from 1 on")
    left, nodes = list(counts), list[int]()
    while any(left):
        for node, count in enumerate(left):
            now = min(stride, count)
            nodes += [node] * now
            left[node] -= now
    return Taskmap.of_nodes(nodes)


def _manual(value: str, counts: Sequence[int]) -> Taskmap:
    try:
        made = Taskmap.decode(value)
    except ValueError as error:
        raise Invalid(f"taskmap manual: {error}") from None
    found = f"{made.ntasks} tasks on {made.nnodes} nodes"
    wanted = f"{sum(counts)} tasks on {len(counts)} nodes"
    if found != wanted:
        raise Invalid(f"taskmap manual: map has {found}, the job {wanted}")
    if not all(len(made.taskids(node)) for node in range(made.nnodes)):
        raise Invalid("taskmap manual: a node has at least 1 task")
    return made
