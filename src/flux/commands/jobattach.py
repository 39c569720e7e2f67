"""`flux job attach`: a job's output here, until it is over; our exit code is the job's."""

import signal
import sys
from argparse import Namespace
from errno import ENOENT
from typing import Any

from flux.base.waitstatus import exit_code
from flux.commands.complaint import complain
from flux.commands.joboutput import Printer
from flux.core.handle import Flux
from flux.job.event import JobEventWatchFuture, event_watch_async


class Attachment:
    """Being with one job."""

    def __init__(self, handle: Flux, args: Namespace) -> None:
        self._handle, self._args, self._id = handle, args, args.jobid
        self._printer = Printer(labelled=args.label_io)
        self._code = 0
        self._error: OSError | None = None
        self._last = ""
        """What is said at the end, after all output."""
        self._first = 0.0
        self._open = 0
        """Streams of events that have not ended."""

    def run(self) -> int:
        """Returns when it is over, with its exit code."""
        self._watch("eventlog", self._happened)
        if self._args.show_exec:
            self._watch("guest.exec.eventlog", self._executed)
        self._watch("guest.output", self._printer.take)
        self._handle.reactor_run()
        if self._error is not None:
            raise OSError(self._error.errno, f"{self._id.f58}: {self._error.strerror or 'no such job'}")
        if self._last and not self._args.quiet:
            complain("flux-job", self._last)
        return self._code

    def _watch(self, path: str, take: Any) -> None:
        def heard(watch: Any) -> None:
            assert isinstance(watch, JobEventWatchFuture)
            try:
                event = watch.get_event()
            except OSError as error:
                if path == "eventlog" or error.errno != ENOENT:
                    self._error = error
                event = None
            if event is not None:
                take(event)
                return
            self._open -= 1
            if not self._open or self._error is not None:
                self._handle.reactor_stop()

        self._open += 1
        event_watch_async(self._handle, self._id, path).then(heard)

    def _happened(self, event: Any) -> None:
        self._first = self._first or event.timestamp
        if event.name == "exception":
            self._excepted(event)
        elif event.name == "finish":
            self._finished(event.context["status"])
        if self._args.show_events and event.name != "exception":
            self._say(f"job.{event.name}", event)

    def _executed(self, event: Any) -> None:
        self._say(f"exec.{event.name}", event)

    def _say(self, what: str, event: Any) -> None:
        took = f"{event.timestamp - self._first:.3f}s"
        print(f"{took}: {what} {event.context_string}".rstrip(), file=sys.stderr, flush=True)

    def _excepted(self, event: Any) -> None:
        told = event.context
        if told["severity"] == 0:
            self._code = self._code or 1
        if not self._args.quiet:
            what = f"type={told['type']} severity={told['severity']} {told.get('note') or ''}".rstrip()
            took = f"{event.timestamp - self._first:.3f}s"
            print(f"{took}: job.exception {self._id.f58} {what}", file=sys.stderr, flush=True)

    def _finished(self, status: int) -> None:
        self._code = max(self._code, exit_code(status)) if status else self._code
        if status:
            code = exit_code(status)
            how = f"exited with exit code {code}" if code < 128 else str(signal.strsignal(code - 128))
            self._last = f"task(s) {how}"
