"""PMI-1 for the tasks of one node; barriers are the whole job's. Pure: it says what to write to whom.

Tasks may put any bytes, JSON carries text: what leaves here is text, and what comes back is bytes as they were."""

from collections.abc import Sequence

from flux.shell.job import Job
from flux.wire.pmi import MAPPING_KEY, VALUE_MAX, Abort, Action, Enter, Lines, Server

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
        lines = self._lines[task].feed(data)
        return [_sayable(action) for line in lines for action in self._server.receive(task, line)]

    def release(self, pairs: dict[str, str]) -> list[Action]:
        """The whole job is in the barrier, and these are the pairs that it has put."""
        return self._server.release({_unquoted(key): _unquoted(value) for key, value in pairs.items()})


def _sayable(action: Action) -> Action:
    match action:
        case Enter(pairs):
            return Enter({_quoted(key): _quoted(value) for key, value in pairs.items()})
        case Abort(rank, code, text):
            return Abort(rank, code, _bytes(text).decode(errors="replace"))
    return action


def _quoted(text: str) -> str:
    """A character for each byte."""
    return _bytes(text).decode("latin-1")


def _unquoted(text: str) -> str:
    return text.encode("latin-1").decode(errors="surrogateescape")


def _bytes(text: str) -> bytes:
    """What a task has sent, of which flux.wire.pmi makes text."""
    return text.encode(errors="surrogateescape")
