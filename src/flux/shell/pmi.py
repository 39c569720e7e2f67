"""PMI-1 for the tasks of one node; barriers are the whole job's. Pure: it says what to write to whom."""

from collections.abc import Sequence

from flux.shell.job import Job
from flux.wire.pmi import MAPPING_KEY, VALUE_MAX, Action, Lines, Server

CHANNEL = "PMI_FD"
"""The variable that tells a task the descriptor on which it is served."""


class TaskPMI:
    """Serves the tasks that run here."""

    def __init__(self, job: Job, tasks: Sequence[int], level: int) -> None:
        taskmap = job.map()
        mapping = taskmap.pmi()
        pairs = {
            MAPPING_KEY: mapping if len(mapping) < VALUE_MAX else "",
            "flux.taskmap": taskmap.encode(wrapped=True),
            "flux.instance-level": str(level),
        }
        self._server = Server(tasks, taskmap.ntasks, job.name.f58plain, pairs)
        self._lines = {task: Lines() for task in tasks}

    def receive(self, task: int, data: bytes) -> list[Action]:
        """A task said something. Raises BadMessage if it does not speak PMI-1."""
        return [action for line in self._lines[task].feed(data) for action in self._server.receive(task, line)]

    def release(self, pairs: dict[str, str]) -> list[Action]:
        """The whole job is in the barrier, and these are the pairs that it has put."""
        return self._server.release(pairs)
