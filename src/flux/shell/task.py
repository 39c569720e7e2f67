"""One task: its process, once there is one, and what is left of it to hear."""

from contextlib import suppress
from typing import Protocol

from flux.service.ports import Process
from flux.shell.pmi import CHANNEL

OUTPUTS = frozenset(("stdout", "stderr"))


class Ears(Protocol):
    """Who is told what a task does."""

    def wrote(self, task: "Task", stream: str, data: bytes) -> None: ...  # b"" is the end
    def asked(self, task: "Task", data: bytes) -> None: ...  # by PMI
    def took(self, task: "Task", count: int) -> None: ...  # of its stdin
    def over(self, task: "Task") -> None: ...  # nothing more will come of it


class Task:
    """The Watcher of its process."""

    def __init__(self, rank: int, local: int, ears: Ears) -> None:
        self.rank, self.local = rank, local
        self.process: Process | None = None
        self.status: int | None = None
        """The wait status, once it has ended."""
        self.is_over = False
        self._open = set(OUTPUTS)
        self._ears = ears

    def kill(self, signum: int) -> None:
        """Signals it and what is left of its process group."""
        if self.process is not None:
            with suppress(OSError):  # it has ended: the status says so
                self.process.kill(signum)

    def write(self, stream: str, data: bytes, *, eof: bool = False) -> None:
        """Gives it input."""
        if self.process is not None:
            self.process.write(stream, data)
            if eof:
                self.process.close(stream)

    def flow(self, on: bool) -> None:
        """Reads its output, or lets it wait."""
        if self.process is not None:
            for stream in self._open:
                (self.process.resume if on else self.process.pause)(stream)

    def end(self) -> None:
        """Kills it; what it has not written yet, or who holds its output open, is not waited for."""
        self.flow(True)  # a stream that nobody reads to its end would stay open
        self._open.clear()
        self.kill(9)
        self._settle()

    # -- what the keeper tells --------------------------------------------------------------------------------------

    def output(self, process: Process, stream: str, data: bytes) -> None:
        """It wrote something."""
        if stream == CHANNEL:
            self._ears.asked(self, data)
        elif stream in self._open:
            self._ears.wrote(self, stream, data)
            if not data:
                self._open.discard(stream)
                self._settle()

    def drained(self, process: Process, stream: str, count: int) -> None:
        """It read something."""
        if stream == "stdin":
            self._ears.took(self, count)

    def stopped(self, process: Process, signum: int) -> None:
        """It was stopped; whoever did that will go on with it."""

    def exited(self, process: Process, status: int) -> None:
        """It ended; output may follow."""
        self.status = status
        self._settle()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        if self.status is not None and not self._open and not self.is_over:
            self.is_over = True
            self._ears.over(self)
