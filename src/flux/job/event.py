"""The events of a job, as they happen (RFC 18, 21; flux_job_event_watch(3))."""

from collections.abc import Iterator
from errno import ENODATA
from typing import TYPE_CHECKING, Any

from flux.base.jobid import JobID
from flux.constants import FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.eventlog import EventLogEvent
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux


class JobException(Exception):
    """A fatal exception of a job, while something else was waited for."""

    def __init__(self, event: EventLogEvent) -> None:
        self.timestamp = event.timestamp
        self.type, self.note = event.context["type"], event.context.get("note", "")
        self.severity = event.context["severity"]
        super().__init__(self)

    def __str__(self) -> str:
        return f"job.exception: type={self.type} severity={self.severity} {self.note}".rstrip()


class JobEventWatchFuture(RPC):
    """A stream of events."""

    def __init__(self, flux_handle: "Flux", jobid: int | str, eventlog: str = "eventlog", flags: int = 0) -> None:
        self._watched = flux_handle
        asked = {"id": JobID(jobid), "path": eventlog, "flags": flags}
        super().__init__(flux_handle, "job-info.eventlog-watch", asked, flags=FLUX_RPC_STREAMING)

    def get_event(self, autoreset: bool = True) -> EventLogEvent | None:
        """The next event; None when there are no more. OSError if there never were."""
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
        """Wants no more events."""
        payload = {"matchtag": self.matchtag}
        RPC(self._watched, "job-info.eventlog-watch-cancel", payload, flags=FLUX_RPC_NORESPONSE)


def event_watch_async(flux_handle: "Flux", jobid: int | str, eventlog: str = "eventlog") -> JobEventWatchFuture:
    """Watches one of a job's logs: eventlog, guest.exec.eventlog, guest.output."""
    return JobEventWatchFuture(flux_handle, jobid, eventlog)


def event_watch(flux_handle: "Flux", jobid: int | str, eventlog: str = "eventlog") -> Iterator[EventLogEvent]:
    """Yields the events of a log, up to its last."""
    watch = event_watch_async(flux_handle, jobid, eventlog)
    while (event := watch.get_event()) is not None:
        yield event


def event_wait(
    flux_handle: "Flux", jobid: int | str, name: str, eventlog: str = "eventlog", raiseJobException: bool = True
) -> EventLogEvent:
    """Waits for an event. JobException if the job ends badly before it; OSError(ENODATA) if it never came."""
    watch = event_watch_async(flux_handle, jobid, eventlog)
    while (event := watch.get_event()) is not None:
        if event.name == name:
            watch.cancel()
            return event
        if raiseJobException and event.name == "exception" and event.context["severity"] == 0:
            watch.cancel()
            raise JobException(event)
    raise OSError(ENODATA, f"event '{name}' never came")
