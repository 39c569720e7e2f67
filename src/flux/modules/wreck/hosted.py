"""A job's tasks on this node, and the way to the broker that leads it, which may break and be found again. Pure."""

from collections.abc import Callable
from errno import EAGAIN, EEXIST
from typing import Any, Protocol

from flux.modules.wreck.patience import Patience
from flux.shell.job import Job
from flux.shell.shell import Shell


class Ear(Protocol):
    """The leader, as one of its `wreck.start` reaches it: a Call."""

    def respond(self, data: dict[str, Any]) -> None: ...
    def end(self) -> None: ...


class Hosted:
    """The other end of a leader's Contact. Until it is there, and while it is not, what the shell says is kept there.

    `done` is called when it is over.
    """

    shell: Shell

    def __init__(self, job: Job, tmpdir: str, host: str, limit: float, done: Callable[[], None]) -> None:
        self.job, self.tmpdir, self._host, self._done = job, tmpdir, host, done
        self.patience = Patience(limit)
        """With a leader that cannot be reached."""
        self.attempts = 0
        """How often the leader was asked for the job's end."""
        self.released = False
        """Whether nobody will ask for any of it again."""
        self.over = False
        """Whether nothing more will come of the tasks."""
        self._ear: Ear | None = None
        self._attempt = 0
        self._obeyed = 0

    def tell(self, type: str, data: dict[str, Any]) -> None:
        """What the shell has to say."""
        if self._ear is not None:
            self._ear.respond({"type": type, "data": data})
            if type == "finish":
                self._ear.end()
        if type == "finish" and not self.over:
            self.over = True
            self._done()

    def asked(self, ear: Ear, attempt: int, after: int, consumed: int) -> None:
        """The leader asks for all that is new since output `after`. OSError(EEXIST): it has asked again since then."""
        if attempt <= self._attempt:
            raise OSError(EEXIST, f"{self.job.name}: runs here already")
        before, self._ear, self._attempt = self._ear, ear, attempt
        if before is not None:
            before.end()
        ear.respond({"type": "here", "data": {"host": self._host}})
        self.shell.acknowledge(consumed)
        self.shell.report.again(after)

    def obey(self, number: int, do: Callable[[], None]) -> None:
        """Does what is ordered, once. OSError(EAGAIN): it comes too early, something before it is missing."""
        if number > self._obeyed + 1:
            raise OSError(EAGAIN, f"{self.job.name}: order {self._obeyed + 1} is missing")
        if number > self._obeyed:
            self._obeyed = number
            do()
