"""The events of a job, as they happen (RFC 18, 21; flux_job_event_watch(3))."""

from collections.abc import Iterator
from contextlib import suppress
from errno import ENODATA
from typing import TYPE_CHECKING, Any

from flux.base.jobid import JobID
from flux.constants import FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.eventlog import EventLogEvent
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

__all__ = [
    "MAIN_EVENTS",
    "EventLogEvent",
    "JobEventWatchFuture",
    "JobException",
    "event_wait",
    "event_watch",
    "event_watch_async",
]

WATCH = "job-info.eventlog-watch"
MAIN_EVENTS = frozenset(
    {
        *("submit", "depend", "priority", "flux-restart", "urgency", "alloc", "free", "start", "release", "finish"),
        *("clean", "debug", "exception"),
    }
)
"""The events that most jobs have, and that `flux.job.FluxExecutorFuture` tells of (RFC 21)."""


class JobException(Exception):
    """A fatal exception of a job, while something else was waited for: `type`, `note`, `severity`, `timestamp`."""

    def __init__(self, event: EventLogEvent) -> None:
        self.timestamp = event.timestamp
        self.type, self.note = event.context["type"], event.context.get("note", "")
        self.severity = event.context["severity"]
        super().__init__(self.type, self.severity, self.note)

    def __str__(self) -> str:
        return f"job.exception: type={self.type}: {self.note}"


def watching(jobid: int | str, eventlog: str, flags: int = 0) -> dict[str, Any]:
    """The payload of WATCH."""
    return {"id": JobID(jobid), "path": eventlog, "flags": flags}


class JobEventWatchFuture(RPC):
    """A stream of events. `event_watch_async` makes one."""

    def __init__(self, flux_handle: "Flux", jobid: int | str, eventlog: str = "eventlog", flags: int = 0) -> None:
        super().__init__(flux_handle, WATCH, watching(jobid, eventlog, flags), flags=FLUX_RPC_STREAMING)

    def get_event(self, autoreset: bool = True) -> EventLogEvent | None:
        """The next event; None when there are no more.

        Without `autoreset` the same event is got until `reset`. OSError if the log cannot be watched: ENOENT for an
        unknown job or log, EPERM for somebody else's job.
        """
        try:
            told: dict[str, Any] = self.get()
        except OSError as error:
            if error.errno == ENODATA:
                return None
            raise
        if autoreset:
            self.reset()
        return EventLogEvent(told["event"])

    def cancel(self, stop: bool = False) -> None:
        """Wants no more events; those on their way still come, unless `stop` ends the callbacks at once."""
        if not self._final:
            RPC(self.handle, f"{WATCH}-cancel", {"matchtag": self.matchtag}, flags=FLUX_RPC_NORESPONSE)
        if stop:
            self.stop()

    def close(self) -> None:
        """Forgets the stream, and has it ended."""
        if not self._final:
            self.forget()
            RPC(self.handle, f"{WATCH}-cancel", {"matchtag": self.matchtag}, flags=FLUX_RPC_NORESPONSE)


def event_watch_async(flux_handle: "Flux", jobid: int | str, eventlog: str = "eventlog") -> JobEventWatchFuture:
    """Watches a log of a job: "eventlog", "guest.exec.eventlog", "guest.output", ... (flux_job_event_watch(3)).

    Returns a future that is fulfilled with each event from the first on; a callback (`then`) gets it by `get_event`,
    which gives None after the last one.
    """
    return JobEventWatchFuture(flux_handle, jobid, eventlog)


def event_watch(flux_handle: "Flux", jobid: int | str, eventlog: str = "eventlog") -> Iterator[EventLogEvent]:
    """Yields the events of a log of a job, from its first, up to its last, as they happen (RFC 18, 21).

    The logs are those of `event_watch_async`. OSError: ENOENT for an unknown job or log, EPERM for somebody else's job.
    """
    watch = event_watch_async(flux_handle, jobid, eventlog)
    try:
        while (event := watch.get_event()) is not None:
            yield event
    finally:
        with suppress(OSError):  # who leaves the loop may have closed the handle
            watch.close()


def checked(event: EventLogEvent, raises: bool = True) -> EventLogEvent:
    """Returns the event, unless it is the end of a job and such ends are to be raised."""
    if raises and event.name == "exception" and event.context["severity"] == 0:
        raise JobException(event)
    return event


def event_wait(
    flux_handle: "Flux", jobid: int | str, name: str, eventlog: str = "eventlog", raiseJobException: bool = True
) -> EventLogEvent:
    """Waits for the first event `name` in a log of a job, and returns it (RFC 21; flux-job(1), wait-event).

    JobException if the job ends badly before it, unless `raiseJobException` is false. OSError: ENODATA if the log has
    ended without it, ENOENT for an unknown job or log, EPERM for somebody else's job.
    """
    for event in event_watch(flux_handle, jobid, eventlog):
        if event.name == name:
            return event
        checked(event, raiseJobException)
    raise never_came(name)


def never_came(name: str) -> OSError:
    """The error of who waited for an event in vain."""
    return OSError(ENODATA, f"eventlog ended before event='{name}'")
