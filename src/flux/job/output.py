"""What a job writes (RFC 24): all of it when it is over, or as it comes; as events, text or lines."""

from collections.abc import Iterator
from errno import EIO, ENOENT
from typing import TYPE_CHECKING, Any

from flux.base.idset import Ids
from flux.base.jobid import JobID
from flux.eventlog import EventLogEvent
from flux.future import Future, FutureExt
from flux.job.event import JobEventWatchFuture, checked, event_wait, event_watch, event_watch_async
from flux.job.outputevents import (
    LOG_DEBUG,
    LOG_ERROR,
    LOG_FATAL,
    LOG_NOTICE,
    LOG_QUIET,
    LOG_TRACE,
    LOG_WARN,
    Gathering,
    JobExceptionEvent,
    JobOutput,
    LogEvent,
    Output,
    OutputEvent,
    OutputHeaderEvent,
    RedirectEvent,
    Taskset,
    read,
    said,
)

if TYPE_CHECKING:
    from flux.core.handle import Flux

__all__ = [
    "LOG_DEBUG",
    "LOG_ERROR",
    "LOG_FATAL",
    "LOG_NOTICE",
    "LOG_QUIET",
    "LOG_TRACE",
    "LOG_WARN",
    "JobExceptionEvent",
    "JobOutput",
    "JobOutputEventWatch",
    "JobOutputWatch",
    "JobOutputWatchLines",
    "LogEvent",
    "OutputEvent",
    "OutputHeaderEvent",
    "RedirectEvent",
    "Taskset",
    "job_output",
    "output_event_watch",
    "output_event_watch_async",
    "output_watch",
    "output_watch_async",
    "output_watch_lines",
    "output_watch_lines_async",
]

EXEC, OUTPUT = "guest.exec.eventlog", "guest.output"
Text = tuple[str, str] | tuple[None, None]

# -- all of it --------------------------------------------------------------------------------------------------------


def job_output(
    flux_handle: "Flux",
    jobid: int | str,
    tasks: Ids | str = "*",
    labelio: bool = False,
    nowait: bool = False,
    log_stderr_level: int = LOG_TRACE,
) -> JobOutput:
    """All that a job writes: waits for the end of its output, and returns (stdout, stderr, log) as text (RFC 24).

    Only that of `tasks`, an idset; with `labelio` the task's number is before each line; with `nowait` what there is
    now. What the job shell logs up to `log_stderr_level` is in stderr (LOG_TRACE: all, LOG_QUIET: nothing), the rest in
    log. FileNotFoundError for an unknown job, or, with `nowait`, one without output yet; JobException for a job that
    ended before it could write; OSError(EPERM) for somebody else's.
    """
    gathering = Gathering(tasks, labelio, log_stderr_level)
    id = JobID(jobid)
    if nowait:
        for line in _now(flux_handle, id).splitlines():
            gathering.take(line)
        return gathering.whole()
    try:
        event_wait(flux_handle, id, "shell.init", EXEC)
    except OSError:
        checked(event_wait(flux_handle, id, "exception"))  # that of a job that never ran, if it is the reason
        raise
    for event in event_watch(flux_handle, id, OUTPUT):
        gathering.take(event)
    return gathering.whole()


def _now(flux_handle: "Flux", id: JobID) -> str:
    from flux.job.kvslookup import job_info_lookup

    try:
        return str(job_info_lookup(flux_handle, id, [OUTPUT]).get()[OUTPUT])
    except FileNotFoundError:
        raise no_output(id) from None


def no_output(id: JobID) -> OSError:
    """The error of who asks for output that is not there."""
    return OSError(ENOENT, f"job {id} does not exist or output not ready")


def never_started(id: JobID) -> OSError:
    """The error of who waits for output in vain."""
    return OSError(EIO, f"job {id} never started")


# -- as it comes ------------------------------------------------------------------------------------------------------


class JobOutputEventWatch(FutureExt):
    """Events of output. `output_event_watch_async` makes one."""

    def __init__(self, flux_handle: "Flux", jobid: int | str, labelio: bool = False, nowait: bool = False) -> None:
        self._id, self._labelio, self._nowait = JobID(jobid), labelio, nowait
        self._started = self._closed = False
        self._finished = nowait  # who does not wait follows the job by other means
        self._watches: list[JobEventWatchFuture] = []
        super().__init__(self._first, flux_handle=flux_handle)

    def get_event(self, autoreset: bool = True) -> Output | None:
        """The next event; None when there are no more. OSError as of `output_event_watch`."""
        event = self.get()
        if event is None:
            return None
        if autoreset:
            self.reset()
        return read(event, self._labelio)

    def close(self) -> None:
        """Wants no more events."""
        for watch in self._watches:
            watch.close()

    def _first(self, _: Future) -> None:
        if self._nowait:
            self._watch(OUTPUT, self._written)
        else:
            self._watch("eventlog", self._happened)

    def _watch(self, path: str, take: Any) -> None:
        def heard(watch: JobEventWatchFuture) -> None:
            try:
                event = watch.get_event()
            except OSError as error:
                missing = error.errno == ENOENT and path == "eventlog"
                self.fulfill_error(error.errno or EIO, f"job {self._id} not found" if missing else error.strerror)
                return
            take(watch, event)

        handle = self.get_flux()
        assert handle is not None
        watch = event_watch_async(handle, self._id, path)
        self._watches.append(watch)
        watch.then(heard)

    def _happened(self, watch: JobEventWatchFuture, event: EventLogEvent | None) -> None:
        """Something in the main log: exceptions are told, until it finishes."""
        if event is None and not self._started:
            error = never_started(self._id)
            self.fulfill_error(error.errno or EIO, error.strerror)
        elif event is None or event.name == "finish":
            watch.cancel(stop=True)
            self._finished = True
            self._settle()
        elif event.name == "exception":
            self.fulfill(event)
        elif event.name == "start":
            self._started = True
            self._watch(EXEC, self._executed)

    def _executed(self, watch: JobEventWatchFuture, event: EventLogEvent | None) -> None:
        """Something in the log of its execution: there is an output log from shell.init on."""
        if event is None:
            self._closed = True
            self._settle()
        elif event.name == "shell.init":
            watch.cancel(stop=True)
            self._watch(OUTPUT, self._written)

    def _written(self, watch: JobEventWatchFuture, event: EventLogEvent | None) -> None:
        if event is not None:
            self.fulfill(event)
            return
        self._closed = True
        self._settle()

    def _settle(self) -> None:
        """Ends when both are over, so that no exception is missed."""
        if self._closed and self._finished:
            self.fulfill(None)


class JobOutputWatch(FutureExt):
    """Pieces of output. `output_watch_async` makes one."""

    def __init__(
        self,
        flux_handle: "Flux",
        jobid: int | str,
        labelio: bool = False,
        log_stderr_level: int = LOG_TRACE,
        nowait: bool = False,
    ) -> None:
        self._watched = JobOutputEventWatch(flux_handle, jobid, labelio, nowait)
        self._level = log_stderr_level
        super().__init__(lambda _: self._watched.then(self._heard), flux_handle=flux_handle)

    def get_output(self) -> Text:
        """The next piece: (stream, text), stream "stdout", "stderr" or "log"; (None, None) when there are no more."""
        found: Text = self.get()
        if found[0] is not None:
            self.reset()
        return found

    def close(self) -> None:
        """Wants no more."""
        self._watched.close()

    def _heard(self, watch: JobOutputEventWatch) -> None:
        try:
            event = watch.get_event()
        except OSError as error:
            self.fulfill_error(error.errno or EIO, error.strerror)
            return
        if event is None:
            self.fulfill((None, None))
            return
        told = said(event, self._level)
        if told is not None:
            self._tell(*told)

    def _tell(self, stream: str, text: str) -> None:
        self.fulfill((stream, text))


class JobOutputWatchLines(JobOutputWatch):
    """Lines of output. `output_watch_lines_async` makes one."""

    def __init__(
        self,
        flux_handle: "Flux",
        jobid: int | str,
        labelio: bool = False,
        log_stderr_level: int = LOG_TRACE,
        nowait: bool = False,
        keepends: bool = False,
    ) -> None:
        super().__init__(flux_handle, jobid, labelio, log_stderr_level, nowait)
        self._keepends = keepends

    def getline(self) -> Text:
        """The next line: (stream, text), stream "stdout", "stderr" or "log"; (None, None) when there are no more."""
        return self.get_output()

    def _tell(self, stream: str, text: str) -> None:
        for line in text.splitlines(keepends=self._keepends):
            self.fulfill((stream, line))


def output_event_watch_async(
    flux_handle: "Flux", jobid: int | str, labelio: bool = False, nowait: bool = False
) -> JobOutputEventWatch:
    """As `output_event_watch`. Returns a future that is fulfilled with each event: `get_event`."""
    return JobOutputEventWatch(flux_handle, jobid, labelio, nowait)


def output_event_watch(
    flux_handle: "Flux", jobid: int | str, labelio: bool = False, nowait: bool = False
) -> Iterator[Output]:
    """Yields the events of a job's output (RFC 24) as they come, up to the last, and exceptions of the job among them.

    Each is an OutputEvent, LogEvent, OutputHeaderEvent, RedirectEvent or JobExceptionEvent: see `name`. `labelio` puts
    the task's number before each line; `nowait` takes the log to be there, and tells no exceptions. OSError: ENOENT for
    an unknown job, EIO for one that ended before it began, EPERM for somebody else's.
    """
    watch = output_event_watch_async(flux_handle, jobid, labelio, nowait)
    try:
        while (event := watch.get_event()) is not None:
            yield event
    finally:
        watch.close()


def output_watch_async(
    flux_handle: "Flux",
    jobid: int | str,
    labelio: bool = False,
    log_stderr_level: int = LOG_TRACE,
    nowait: bool = False,
) -> JobOutputWatch:
    """As `output_watch`. Returns a future that is fulfilled with each piece: `get_output`."""
    return JobOutputWatch(flux_handle, jobid, labelio, log_stderr_level, nowait)


def output_watch(
    flux_handle: "Flux",
    jobid: int | str,
    labelio: bool = False,
    log_stderr_level: int = LOG_TRACE,
    nowait: bool = False,
) -> Iterator[tuple[str, str]]:
    """Yields what a job writes as it comes (flux-job(1), attach): (stream, text); "stdout", "stderr" or "log".

    What the job shell logs up to `log_stderr_level` is in "stderr", and so are the job's exceptions. The other
    arguments, and errors, are those of `output_event_watch`.
    """
    return _pieces(output_watch_async(flux_handle, jobid, labelio, log_stderr_level, nowait))


def output_watch_lines_async(
    flux_handle: "Flux",
    jobid: int | str,
    labelio: bool = False,
    log_stderr_level: int = LOG_TRACE,
    nowait: bool = False,
    keepends: bool = False,
) -> JobOutputWatchLines:
    """As `output_watch_lines`. Returns a future that is fulfilled with each line: `getline`."""
    return JobOutputWatchLines(flux_handle, jobid, labelio, log_stderr_level, nowait, keepends)


def output_watch_lines(
    flux_handle: "Flux",
    jobid: int | str,
    labelio: bool = False,
    log_stderr_level: int = LOG_TRACE,
    nowait: bool = False,
    keepends: bool = False,
) -> Iterator[tuple[str, str]]:
    """As `output_watch`, line by line, without their ends unless `keepends`.

    A task that writes part of a line, and the rest much later, may give two.
    """
    return _pieces(output_watch_lines_async(flux_handle, jobid, labelio, log_stderr_level, nowait, keepends))


def _pieces(watch: JobOutputWatch) -> Iterator[tuple[str, str]]:
    try:
        while (found := watch.get_output())[0] is not None:
            yield found
    finally:
        watch.close()
