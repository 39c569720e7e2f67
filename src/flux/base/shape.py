"""What a job asks for, as a jobspec's `resources` (RFC 25): from tasks and nodes, or from whole resources. Pure."""

from typing import Any

from flux.base.invalid import Invalid

Vertex = dict[str, Any]
LABEL = "task"


def of_tasks(
    ntasks: int | None = None,
    nodes: int | None = None,
    cores: int = 1,
    gpus: int = 0,
    memory: int = 0,
    *,
    exclusive: bool = False,
) -> tuple[list[Vertex], dict[str, int]]:
    """So many tasks with so much each: the resources, and the count of the task. Raises Invalid.

    Nodes without a number of tasks have one each, and are exclusive.
    """
    if nodes is None:
        if exclusive:
            raise Invalid("exclusive can only be set with a node count")
        return [_slot(ntasks or 1, cores, gpus, memory)], {"per_slot": 1}
    if nodes < 1:
        raise Invalid("node count must be >= 1")
    if ntasks is None:
        ntasks, exclusive = nodes, True
    if nodes > ntasks:
        raise Invalid("node count must not be greater than task count")
    slot = _slot(-(-ntasks // nodes), cores, gpus, memory)
    return [_node(nodes, slot, exclusive)], {"total": ntasks} if ntasks % nodes else {"per_slot": 1}


def of_resources(
    cores: int | None = None, nodes: int | None = None, gpus_per_node: int = 0, *, exclusive: bool = False
) -> list[Vertex]:
    """So many cores, or nodes, in all; how many tasks they run is for the shell to know. Raises Invalid."""
    if nodes is None:
        return [_slot(cores or 1, 1, 0, 0)]
    if nodes < 1:
        raise Invalid("node count must be >= 1")
    if cores is None:
        return [_node(nodes, _slot(1, 1, gpus_per_node, 0), True)]
    if cores < nodes:
        raise Invalid("number of cores cannot be less than nnodes")
    if cores % nodes:
        raise Invalid("number of cores must be evenly divisible by node count")
    return [_node(nodes, _slot(1, cores // nodes, gpus_per_node, 0), exclusive)]


def _slot(count: int, cores: int, gpus: int, memory: int) -> Vertex:
    inside: list[Vertex] = [{"type": "core", "count": cores}]
    if gpus:
        inside.append({"type": "gpu", "count": gpus})
    if memory:
        inside.append({"type": "memory", "count": memory, "unit": "MiB"})
    return {"type": "slot", "count": count, "with": inside, "label": LABEL}


def _node(count: int, slot: Vertex, exclusive: bool) -> Vertex:
    whole = {"exclusive": True} if exclusive else {}
    return {"type": "node", "count": count, **whole, "with": [slot]}
