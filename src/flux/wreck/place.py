"""Where a job's tasks go while there is no scheduler: the first nodes that are up, each with as many as the next."""

from contextlib import closing
from errno import EINVAL
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flux.core.handle import Flux


def place(handle: "Flux", ntasks: int | None, nodes: int | None, per_node: int | None) -> dict[str, Any]:
    """What `wreck.run` takes as `ntasks` and `ranks`. OSError(EINVAL) if there are not so many nodes."""
    if ntasks is None and nodes is None and per_node is None:
        return {"ntasks": 1}
    ntasks = ntasks or (nodes or 1) * (per_node or 1)
    if per_node:
        nodes = nodes or -(-ntasks // per_node)
    if per_node and nodes and ntasks > nodes * per_node:
        raise OSError(EINVAL, f"{ntasks} tasks do not fit on {nodes} nodes with {per_node} each")
    if nodes is not None and nodes > ntasks:
        raise OSError(EINVAL, f"{nodes} nodes for {ntasks} tasks: a node has at least 1")
    if ntasks == 1:
        return {"ntasks": 1}
    return {"ntasks": ntasks, "ranks": _first(handle, nodes, ntasks)}


def _first(handle: "Flux", nodes: int | None, ntasks: int) -> str:
    from flux.base.idset import IDset

    with closing(handle.stream("groups.get", {"name": "broker.online"}, nodeid=0)) as groups:
        up = IDset(next(groups)["members"])
    if nodes is not None and nodes > len(up):
        raise OSError(EINVAL, f"{nodes} nodes requested, this instance has {len(up)}")
    return str(IDset(list(up)[: nodes or ntasks]))
