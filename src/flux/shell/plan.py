"""Which tasks of a job run on which rank: blocks of consecutive tasks, as even as they come."""

from collections.abc import Sequence
from errno import EINVAL
from typing import NamedTuple

from flux.base.taskmap import Taskmap

TASKS_PER_NODE = 1 << 14
"""As many as one broker could look after; a slip of the finger should not cost the session its broker."""


class Plan(NamedTuple):
    """The ranks that a job has, in the order of its node ids, and the tasks on each node."""

    ranks: tuple[int, ...]
    taskmap: Taskmap

    @property
    def ntasks(self) -> int:
        """The number of tasks."""
        return self.taskmap.ntasks

    def tasks(self, node: int) -> list[int]:
        """The tasks of one node, in order."""
        return list(self.taskmap.taskids(node))


def plan(ntasks: int, ranks: Sequence[int]) -> Plan:
    """Spreads tasks over ranks. OSError(EINVAL) if there are no tasks, no ranks, or too few or too many for a rank."""
    if ntasks < 1:
        raise OSError(EINVAL, f"{ntasks} tasks: a job has at least 1")
    if not ranks:
        raise OSError(EINVAL, "no ranks to run on")
    if len(ranks) > ntasks:
        raise OSError(EINVAL, f"{len(ranks)} nodes for {_count(ntasks, 'task')}: a node has at least 1")
    if ntasks > len(ranks) * TASKS_PER_NODE:
        raise OSError(EINVAL, f"{ntasks} tasks on {_count(len(ranks), 'node')}: a node has at most {TASKS_PER_NODE}")
    least, more = divmod(ntasks, len(ranks))
    taskmap = Taskmap()
    if more:
        taskmap.append(0, more, least + 1)
    if more < len(ranks):
        taskmap.append(more, len(ranks) - more, least)
    return Plan(tuple(ranks), taskmap)


def placed(ranks: Sequence[int], taskmap: Taskmap) -> Plan:
    """Tasks where a map has them. OSError(EINVAL) if that makes no sense."""
    counts = [len(taskmap.taskids(node)) for node in range(taskmap.nnodes)]
    if len(ranks) != len(counts) or not ranks or not all(0 < count <= TASKS_PER_NODE for count in counts):
        raise OSError(EINVAL, f"{len(ranks)} ranks, and tasks for {len(counts)}: each has 1 to {TASKS_PER_NODE}")
    return Plan(tuple(ranks), taskmap)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
