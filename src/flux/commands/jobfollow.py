"""Many jobs to their ends, or to an event: what happens to them, their output, the highest of their exit codes."""

import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from flux.base.jobid import JobID
from flux.base.waitstatus import exit_code
from flux.commands.complaint import complain
from flux.commands.joboutput import follow
from flux.commands.jobprogress import JobsBar
from flux.core.handle import Flux
from flux.job.event import JobEventWatchFuture, event_watch_async

EXEC = "exec."
"""Begins the names of events of a job's execution."""
DOING = {"submit": "PD", "alloc": "R"}


class Wishes(NamedTuple):
    """What is wanted of the jobs."""

    command: str
    """Who speaks."""
    event: str = "clean"
    """The event that ends the waiting."""
    watch: bool = False
    """Whether output is shown."""
    label_io: bool = False
    quiet: bool = False
    verbose: int = 0


class Following:
    """Follows them; `run` returns the exit code."""

    def __init__(self, handle: Flux, wishes: Wishes, bar: JobsBar) -> None:
        self._handle, self._wishes, self._bar = handle, wishes, bar
        self._code = 0
        self._left = 0
        self._first: dict[int, float] = {}

    def run(self, ids: Iterable[JobID]) -> int:
        """Follows these jobs until all of them are there."""
        self._left = 1
        for id in ids:
            self._left += 1
            self._watch(id)
            if self._wishes.watch:
                self._left += 1
                follow(self._handle, id, self._over, labelled=self._wishes.label_io, before=self._bar.clear)
        self._over()
        if self._left:
            self._handle.reactor_run()
        self._bar.end()
        return self._code

    def _watch(self, id: JobID) -> None:
        wanted = self._wishes.event
        path = "guest.exec.eventlog" if wanted.startswith(EXEC) else "eventlog"
        watch = event_watch_async(self._handle, id, path)
        watch.then(lambda future: self._heard(id, future, wanted.removeprefix(EXEC)))

    def _heard(self, id: JobID, watch: Any, wanted: str) -> None:
        assert isinstance(watch, JobEventWatchFuture)
        try:
            event = watch.get_event()
        except OSError as error:
            self._complain(f"{id.f58}: {error.strerror or 'no such job'}")
            self._code = max(self._code, 1)
            event = None
        if event is None:
            self._over()
            return
        if self._wishes.verbose:
            self._tell(id, event)
        if event.name in DOING:
            self._bar.note(id, DOING[event.name])
        elif event.name == "finish":
            self._note(id, event.context["status"])
        elif event.name == "exception" and event.context["severity"] == 0:
            self._failed(id, event.context)
        if event.name == wanted and wanted != "clean":
            watch.cancel()

    def _note(self, id: JobID, status: int) -> None:
        self._code = max(self._code, exit_code(status))
        self._bar.note(id, "F" if status else "CD")

    def _failed(self, id: JobID, context: Any) -> None:
        self._code = max(self._code, 1)
        self._bar.note(id, "F")
        if not self._wishes.quiet:
            self._complain(f"{id.f58}: exception: type={context['type']} {context.get('note') or ''}".rstrip())

    def _over(self) -> None:
        self._left -= 1
        if not self._left:
            self._handle.reactor_stop()

    def _tell(self, id: JobID, event: Any) -> None:
        first = self._first.setdefault(id, event.timestamp)
        self._bar.clear()
        text = f"{id.f58}: {event.timestamp - first:4.3f}s {event.name} {event.context_string}"
        print(text.rstrip(), file=sys.stderr)

    def _complain(self, text: str) -> None:
        self._bar.clear()
        complain(self._wishes.command, text)
