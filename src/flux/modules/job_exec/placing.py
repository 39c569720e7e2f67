"""From what a job asked for and what it got to its tasks on each rank. Pure."""

from typing import Any, NamedTuple

from flux.base.invalid import Invalid
from flux.base.jobspec import Jobspec
from flux.base.rset import ResourceSet
from flux.base.taskmap import Taskmap
from flux.shell.mapping import mapping
from flux.shell.plan import plan


class Placing(NamedTuple):
    """The ranks that have tasks, which are the nodes of the map."""

    ranks: tuple[int, ...]
    taskmap: Taskmap


def placed(spec: Jobspec, resources: ResourceSet) -> Placing:
    """Where a job's tasks run. Raises Invalid for options that make no sense."""
    option = spec.options.get("taskmap") or {}
    shares = {rank: count for rank, count in zip(resources.ranks, counts(spec, resources), strict=True) if count}
    made = mapping(option.get("scheme", "block"), str(option.get("value") or ""), list(shares.values()))
    return Placing(tuple(shares), made)


def counts(spec: Jobspec, resources: ResourceSet) -> list[int]:
    """How many tasks run on each rank, in order. Raises Invalid for options that make no sense."""
    per_resource = spec.options.get("per-resource")
    if per_resource is not None:
        return _per_resource(per_resource, resources)
    kind, number = spec.task_count
    if kind == "total":
        shares = plan(number, list(resources.ranks))
        return [len(shares.tasks(node)) for node in range(len(shares.ranks))]
    return _slots(spec, resources)


def _slots(spec: Jobspec, resources: ResourceSet) -> list[int]:
    """A task for each slot; where whole nodes were given, each has as many as were asked for."""
    wanted = spec.resources
    if wanted.nnodes:
        return [wanted.nslots] * len(resources)
    left, found = wanted.nslots, []
    for share in resources.ranks.values():
        most = share.cores.bit_count() // wanted.slot.cores
        if wanted.slot.gpus:
            most = min(most, share.gpus.bit_count() // wanted.slot.gpus)
        found.append(min(most, left))
        left -= found[-1]
    return found


def _per_resource(option: Any, resources: ResourceSet) -> list[int]:
    kind, count = option.get("type"), option.get("count", 1)
    if kind not in ("node", "core") or not isinstance(count, int) or count < 1:
        raise Invalid("per-resource: type is node or core, count a positive integer")
    if kind == "node":
        return [count] * len(resources)
    return [count * share.cores.bit_count() for share in resources.ranks.values()]
