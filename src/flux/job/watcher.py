"""Several jobs watched at once: what they write, what happens to them, how they end (flux-submit(1), --watch)."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Self, TextIO

from flux.base.jobid import JobID
from flux.base.jobstate import Result, State
from flux.base.waitstatus import exit_code
from flux.eventlog import EventLogEvent
from flux.job.event import JobEventWatchFuture, event_watch_async
from flux.job.info import JobInfo
from flux.job.output import EXEC, JobOutputWatch, output_watch_async
from flux.job.outputevents import JobExceptionEvent

if TYPE_CHECKING:
    from flux.core.handle import Flux

Say = Callable[[JobID, str | None, str | None], Any]
"""Is given a job, a stream and text; None, None when the job writes no more."""
EXECUTED = "exec."
"""Begins the names of events of its execution, where both logs are meant."""


class JobStatus:
    """How far a job is: `status` is "pending", "running", "complete" or "failed"; `exitcode`; its events, counted."""

    def __init__(self, job: JobInfo) -> None:
        """Takes a job as it is. ValueError for anything else."""
        if not isinstance(job, JobInfo):
            raise ValueError("JobStatus requires an object of type JobInfo")
        self.id: JobID = job.id
        self.exitcode = 0
        self._events: Counter[str] = Counter()
        if job.state_id & State.PENDING:
            self.status = "pending"
        elif job.state_id & State.RUNNING:
            self.status = "running"
        elif job.result_id == Result.COMPLETED:
            self.status = "complete"
        else:
            self.status, self.exitcode = "failed", job.returncode

    @property
    def active(self) -> bool:
        """Whether it is not over."""
        return self.status in ("running", "pending")

    def add_event(self, name: str) -> None:
        """Counts an event."""
        self._events[name] += 1

    def event_count(self, name: str) -> int:
        """How often an event has happened."""
        return self._events[name]

    def has_event(self, name: str) -> bool:
        """Whether an event has happened."""
        return self._events[name] > 0


class Watched(JobStatus):
    """A job with where its output goes, and the event that ends its being watched."""

    def __init__(self, job: JobInfo, stdout: TextIO, stderr: TextIO, wait: str) -> None:
        super().__init__(job)
        self.stdout, self.stderr, self.wait = stdout, stderr, wait


class JobWatcher:
    """Watches jobs while the handle's reactor runs: `add_jobs`, `add_jobid`, then `h.reactor_run()`.

    `exitcode` is the highest exit code of them; 1 at least for one that failed before it began.
    """

    def __init__(
        self,
        flux_handle: "Flux",
        jobs: Iterable[JobInfo] | None = None,
        progress: bool = False,
        jps: bool = False,
        wait: str = "clean",
        watch: bool = True,
        log_events: bool = False,
        log_status: bool = False,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
        labelio: bool = False,
        starttime: float | None = None,
        output_callback: Say | None = None,
    ) -> None:
        """`jobs` are those to begin with. `watch`: their output is written to `stdout` and `stderr`, with `labelio`
        with job and task before each line; or it is given to `output_callback(jobid, stream, text)`. `log_events` and
        `log_status` write events, and ends, to `stderr`, with seconds since `starttime` (seconds since 1970; the first
        submission). A job is watched until its event `wait` ("exec.shell.init" is one of its execution). `progress` and
        `jps` are there for programs that give them: no bar is drawn.
        """
        self._handle = flux_handle
        self._wait, self._watches, self._labelio = wait, watch, labelio
        self._log_events, self._log_status = log_events, log_status
        self.stdout, self.stderr = stdout or sys.stdout, stderr or sys.stderr
        self._say = output_callback
        self.t0 = starttime
        self.exitcode = 0
        self.add_jobs(*(jobs or ()))

    def start(self) -> Self:
        """Does nothing, and returns the watcher."""
        return self

    def stop(self) -> Self:
        """Does nothing, and returns the watcher."""
        return self

    def add_jobs(
        self, *jobs: JobInfo, stdout: TextIO | None = None, stderr: TextIO | None = None, wait: str | None = None
    ) -> Self:
        """Watches jobs, too, with output elsewhere perhaps (`stderr` is where `stdout` is). Returns the watcher."""
        for job in jobs:
            self.t0 = min(self.t0 or job.t_submit, job.t_submit)
            out, err = stdout or self.stdout, stderr or stdout or self.stderr
            self._follow(Watched(job, out, err, wait or self._wait), "eventlog", self._happened)
        return self

    def add_jobid(
        self, jobid: int | str, stdout: TextIO | None = None, stderr: TextIO | None = None, wait: str | None = None
    ) -> Self:
        """Watches a job of which only the id is known."""
        told = {"id": JobID(jobid), "state": int(State.SCHED), "t_submit": time.time()}
        return self.add_jobs(JobInfo(told), stdout=stdout, stderr=stderr, wait=wait)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _follow(self, job: Watched, path: str, take: Any, *args: Any) -> None:
        def heard(watch: JobEventWatchFuture) -> None:
            event = watch.get_event()
            if event is not None:
                take(job, watch, event, *args)

        event_watch_async(self._handle, job.id, path).then(heard)

    def _happened(self, job: Watched, watch: JobEventWatchFuture, event: EventLogEvent) -> None:
        job.add_event(event.name)
        self._log(job, event, "")
        match event.name:
            case "exception" if event.context["severity"] == 0:
                self._excepted(job, event)
            case "alloc":
                job.status = "running"
            case "start" if self._watches or job.wait.startswith(EXECUTED):
                self._follow(job, EXEC, self._executed, watch)
            case "finish":
                self._finished(job, event)
        if event.name == job.wait:
            watch.cancel(stop=True)

    def _excepted(self, job: Watched, event: EventLogEvent) -> None:
        if not job.has_event("start"):
            self.exitcode = max(self.exitcode, 1)
            job.status = "failed"
        if not job.has_event("shell.init"):  # nobody who watches its output will say it
            print(JobExceptionEvent(event).render(), file=job.stderr)

    def _finished(self, job: Watched, event: EventLogEvent) -> None:
        status = event.context["status"]
        job.exitcode = exit_code(status)
        self.exitcode = max(self.exitcode, job.exitcode)
        job.status = "failed" if status else "complete"
        if self._log_status:
            self._note(job, event, f"{job.status}: status={status}")

    def _executed(
        self, job: Watched, watch: JobEventWatchFuture, event: EventLogEvent, main: JobEventWatchFuture
    ) -> None:
        self._log(job, event, EXECUTED)
        if event.name == "shell.init" and self._watches:
            job.add_event(event.name)
            output_watch_async(self._handle, job.id, self._labelio, nowait=True).then(self._written, job)
            if not job.wait.startswith(EXECUTED):
                watch.cancel(stop=True)
        if job.wait == f"{EXECUTED}{event.name}":
            watch.cancel(stop=True)
            main.cancel(stop=True)

    def _written(self, watch: JobOutputWatch, job: Watched) -> None:
        stream, text = watch.get_output()
        if self._say is not None:
            self._say(job.id, stream, text)
        elif stream is None or text is None:
            job.stdout.flush()
            job.stderr.flush()
        else:
            out = job.stdout if stream == "stdout" else job.stderr
            lines = text.splitlines(keepends=True)
            out.write("".join(f"{job.id}: {line}" for line in lines) if self._labelio else text)

    def _log(self, job: Watched, event: EventLogEvent, before: str) -> None:
        if self._log_events:
            self._note(job, event, f"{before}{event.name} {event.context_string}".rstrip())

    def _note(self, job: Watched, event: EventLogEvent, text: str) -> None:
        print(f"{job.id.f58}: {event.timestamp - (self.t0 or 0):4.3f}s: {text}", file=job.stderr)
