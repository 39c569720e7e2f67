"""Being with a job from its start to its end: its input, its output, the signals that are meant for it."""

import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from flux.base.idset import IDset
from flux.base.jobid import JobID
from flux.base.mustache import job_tags, task_tags
from flux.base.taskmap import Taskmap
from flux.constants import FLUX_POLLIN
from flux.wreck.run import Run
from flux.wreck.sinks import Sinks

if TYPE_CHECKING:
    from flux.core.handle import Flux

CHUNK = 1 << 16
PATIENCE = 2.0
"""Seconds in which a second Ctrl-C kills."""
PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)


class Terminal(NamedTuple):
    """Where a job's input comes from, and where its output goes."""

    input: str | None = None
    """A file; our stdin if None."""
    templates: Mapping[str, str] = {}
    """Files by stream (flux.base.mustache)."""
    label: bool = False
    verbose: int = 0


class Attendance:
    """The Watcher of a Run, with a terminal."""

    def __init__(self, handle: "Flux", job: dict[str, Any], terminal: Terminal, say: Callable[[str], None]) -> None:
        self._handle, self._job, self._terminal, self._say = handle, job, terminal, say
        self._code = 1
        self._credits = 0
        self._input: int | None = None
        self._failed = False
        self._lost = IDset()
        """Tasks of which we have said already what became of them."""
        self._waiting: list[int] = []
        """Signals that came before there was a job to pass them to."""
        self._interrupted = -PATIENCE
        self._tags: Callable[[int], Mapping[str, str]] = lambda task: {}
        self._sinks = Sinks(terminal.templates, lambda task: self._tags(task), say, label=terminal.label)

    def run(self) -> int:
        """Runs the job to its end; returns the exit code."""
        self._open_input()
        self._watchers = [
            self._handle.signal_watcher_create(signum, lambda h, w, number, args: self._signal(number))
            for signum in (signal.SIGINT, *PASSED_ON)
        ]
        for watcher in self._watchers:
            watcher.start()
        self._reader = self._handle.fd_watcher_create(self._input or 0, lambda *_: self._read(), FLUX_POLLIN)
        self._run = Run(self._handle, self, self._job)
        try:
            self._handle.reactor_run()
        finally:
            self._sinks.close()
        return self._code

    # -- what becomes of the job ------------------------------------------------------------------------------------

    def accepted(self, id: int, taskmap: dict[str, Any], ranks: list[int]) -> None:
        """It has an id, and a place."""
        if self._terminal.verbose:
            self._say(f"jobid: {JobID(id)}")
        if self._terminal.verbose > 1:
            self._say(f"taskmap: {taskmap['map']} on ranks {','.join(map(str, ranks))}")
        if self._terminal.templates:
            self._tags = _tags(id, self._job["command"][0], Taskmap.from_json(taskmap), ranks)
            self._sinks.open(self._job["ntasks"])
        for signum in self._waiting:
            self._run.kill(signum)

    def output(self, task: int, stream: str, data: bytes) -> None:
        """A task wrote something."""
        try:
            self._sinks.write(task, stream, data)
        except BrokenPipeError:
            _end_by_pipe()

    def granted(self, count: int) -> None:
        """The tasks can take more input."""
        self._credits += count
        if self._input is not None:
            self._reader.start()

    def failed(self, note: str) -> None:
        """It cannot go on."""
        self._failed = True
        self._say(f"error: {note}")

    def lost(self, note: str, tasks: str) -> None:
        """Some of its tasks are gone with their broker; the others go on."""
        self._lost.add(tasks)
        self._say(f"error: {note}")

    def finished(self, code: int, exits: dict[str, str]) -> None:
        """It is over."""
        self._code = code
        if not self._failed:
            for status, tasks in exits.items():
                told = IDset(tasks) - self._lost
                if status != "0" and told:
                    self._say(f"{_named(str(told))}: {_ended(int(status))}")
        self._handle.reactor_stop()

    # -- input ------------------------------------------------------------------------------------------------------

    def _open_input(self) -> None:
        path = self._terminal.input
        self._input = 0
        if path is not None:
            try:
                self._input = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise OSError(error.errno, f"--input: {path}: {error.strerror}") from None
        # In the background, reading the terminal is an error that we see, not a signal that stops us.
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)

    def _read(self) -> None:
        if self._input is None:
            return
        data = b""
        with suppress(OSError):  # no stdin at all, or a terminal that is not ours
            try:
                data = os.read(self._input, min(CHUNK, self._credits))
            except BlockingIOError:
                return
        self._credits -= len(data)
        self._run.write(data)
        if not data:
            self._input = None
        if not data or not self._credits:
            self._reader.stop()

    # -- signals ----------------------------------------------------------------------------------------------------

    def _signal(self, signum: int) -> None:
        if signum == signal.SIGINT:
            now = monotonic()
            if now - self._interrupted < PATIENCE:
                signum = signal.SIGKILL
            self._interrupted = now
        if self._run.id:
            self._run.kill(signum)
        else:
            self._waiting.append(signum)


def _tags(id: int, command: str, taskmap: Taskmap, ranks: list[int]) -> Callable[[int], Mapping[str, str]]:
    """The tags of a file name, by task."""
    whole = job_tags(id, os.path.basename(command), len(ranks), taskmap.ntasks)

    def of(task: int) -> Mapping[str, str]:
        node = taskmap.nodeid(task)
        return whole | task_tags(task, list(taskmap.taskids(node)).index(task), node, ranks[node])

    return of


def _end_by_pipe() -> None:
    """Nobody reads our output: we end as every program does then, and the job with us."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGPIPE)


def _named(tasks: str) -> str:
    return f"task {tasks}" if tasks.isdecimal() else f"tasks {tasks}"


def _ended(status: int) -> str:
    signum = status & 127
    return signal.strsignal(signum) or f"signal {signum}" if signum else f"exited with exit code {status >> 8}"
