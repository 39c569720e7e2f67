"""The future of a job that an executor has submitted."""

import concurrent.futures
import logging
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Self

from flux.eventlog import EventLogEvent
from flux.job.event import MAIN_EVENTS

Done = Callable[["FluxExecutorFuture"], Any]
Happened = Callable[["FluxExecutorFuture", EventLogEvent], Any]


class FluxExecutorFuture(concurrent.futures.Future[int]):
    """As any future of `concurrent.futures`, and it knows its job's id and events. See `FluxExecutor`.

    What a callback raises is logged, and nothing else comes of it.
    """

    EVENTS = MAIN_EVENTS
    """The events that it tells of."""

    def __init__(self, owning_thread_id: int | None) -> None:
        super().__init__()
        self._owner = owning_thread_id
        self._identified = threading.Condition(threading.RLock())
        self._jobid: Any = None
        """The id, or why there is none."""
        self._is_identified = False
        self._jobid_callbacks: list[Done] = []
        self._event_lock = threading.RLock()
        self._happened: dict[str, list[EventLogEvent]] = defaultdict(list)
        self._event_callbacks: dict[str, list[Happened]] = defaultdict(list)

    # -- the job's id -----------------------------------------------------------------------------------------------

    def jobid(self, timeout: float | None = None) -> int:
        """The job's id, when it has one; waits for at most `timeout` seconds, without an end if None.

        TimeoutError when they are over, CancelledError if it was cancelled, RuntimeError if it was not accepted.
        """
        with self._identified:
            if not self._identified.wait_for(lambda: self._is_identified, timeout):
                raise concurrent.futures.TimeoutError
        if isinstance(self._jobid, BaseException):
            raise self._jobid
        found: int = self._jobid
        return found

    def add_jobid_callback(self, callback: Done) -> Self:
        """Has `callback(future)` called when `jobid` returns, or raises, at once; perhaps in another thread."""
        with self._identified:
            if not self._is_identified:
                self._jobid_callbacks.append(callback)
                return self
        self._call(callback)
        return self

    def _set_jobid(self, jobid: int | None, exc: BaseException | None = None) -> None:
        """For executors: sets the id, or why there is none. RuntimeError if it is set already."""
        with self._identified:
            if self._is_identified:
                raise RuntimeError("invalid state: jobid already set")
            self._jobid, self._is_identified = exc if exc is not None else jobid, True
            self._identified.notify_all()
        for callback in self._jobid_callbacks:
            self._call(callback)

    def _set_no_jobid(self, error: BaseException) -> None:
        with self._identified:
            if not self._is_identified:
                self._set_jobid(None, error)

    # -- the job's events -------------------------------------------------------------------------------------------

    def add_event_callback(self, event: str, callback: Happened) -> Self:
        """Has `callback(future, event)` called for each event of that name, also those that were; perhaps in another
        thread. ValueError for a name that is not in EVENTS."""
        self._check(event)
        with self._event_lock:
            self._event_callbacks[event].append(callback)
            for happened in self._happened[event]:
                self._call(callback, happened)
        return self

    def _set_event(self, log_entry: EventLogEvent) -> None:
        """For executors: an event has happened. ValueError for a name that is not in EVENTS."""
        self._check(log_entry.name)
        with self._event_lock:
            self._happened[log_entry.name].append(log_entry)
            for callback in list(self._event_callbacks[log_entry.name]):
                self._call(callback, log_entry)

    def _check(self, name: str) -> None:
        if name not in self.EVENTS:
            raise ValueError(name)

    def _call(self, callback: Callable[..., Any], *args: Any) -> None:
        try:
            callback(self, *args)
        except Exception:
            logging.getLogger(__name__).exception("exception calling callback for %r", self)

    # -- as of any future -------------------------------------------------------------------------------------------

    def add_done_callback(self, fn: Callable[..., Any]) -> Self:  # type: ignore[override]
        """Has `fn(future)` called when it is done; at once if it is. Returns the future."""
        super().add_done_callback(fn)
        return self

    def result(self, timeout: float | None = None) -> int:
        """The job's highest exit code, or minus the number of the signal that ended it, when it has ended.

        TimeoutError after `timeout` seconds; what `exception` gives; RuntimeError in a callback, which would wait for
        itself.
        """
        self._check_not_inside()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Why there is no result: a JobException, an OSError, ... None if there is one. Waits as `result` does."""
        self._check_not_inside()
        return super().exception(timeout)

    def _check_not_inside(self) -> None:
        if not self.done() and threading.get_ident() == self._owner:
            raise RuntimeError("Cannot wait for future from inside callback")

    def set_exception(self, exception: BaseException | None) -> None:
        """For executors: there will be no result; nor an id, if there is none yet."""
        self._set_no_jobid(RuntimeError(f"job could not be submitted due to {exception!r}"))
        super().set_exception(exception)

    def cancel(self) -> bool:
        """Has no job submitted, if none is yet. Returns whether that is so; a job goes on (see `flux.job.cancel`)."""
        if self.cancelled():
            return True
        cancelled = super().cancel()
        if cancelled:
            self._set_no_jobid(concurrent.futures.CancelledError())
        return cancelled
