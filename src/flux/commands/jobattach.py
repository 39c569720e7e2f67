"""Being with a job until it is over (`flux run`, `flux job attach`): output, stdin, signals, its exit code."""

import signal
import sys
from errno import ENOENT
from time import monotonic
from typing import Any, NamedTuple

from flux.base.jobid import JobID
from flux.base.waitstatus import exit_code
from flux.commands.complaint import complain
from flux.commands.joboutput import Printer
from flux.commands.jobstdin import Stdin
from flux.core.handle import Flux
from flux.job.event import JobEventWatchFuture, event_watch_async
from flux.job.kill import cancel, cancel_async, kill_async

PATIENCE = 2.0
"""Seconds in which a second Ctrl-C cancels the job."""
PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM)
EVENTS, EXEC, OUTPUT = "eventlog", "guest.exec.eventlog", "guest.output"


class Wishes(NamedTuple):
    """What is shown, and what is passed on."""

    label_io: bool = False
    quiet: bool = False
    show_events: bool = False
    show_exec: bool = False
    read_only: bool = False
    """Our stdin and our signals stay ours."""
    wait_event: str = "finish"
    """The event at which there is nothing more to wait for but output."""
    cancel_unread: bool = False
    """Whether the job ends if nobody reads what we print."""
    command: str = "flux-job"
    """Who speaks."""


class Attachment:
    """Being with one job."""

    def __init__(self, handle: Flux, id: JobID, wishes: Wishes) -> None:
        self._handle, self._id, self._wishes = handle, id, wishes
        self._printer = Printer(labelled=wishes.label_io)
        self._code = 0
        self._error: OSError | None = None
        self._last = ""
        """What is said at the end, after all output."""
        self._first = 0.0
        self._open = 0
        """Streams of events that have not ended."""
        self._stdin: Stdin | None = None
        self._interrupted = -PATIENCE
        self._detached = False

    def run(self) -> int:
        """Returns when it is over, with its exit code."""
        self._watch(EVENTS, self._happened)
        if self._wishes.show_exec or not self._wishes.read_only:
            self._watch(EXEC, self._executed)
        self._watch(OUTPUT, self._print)
        if not self._wishes.read_only:
            self._heed_signals()
        self._handle.reactor_run()
        if self._stdin is not None:
            self._stdin.stop()
        if self._error is not None:
            raise OSError(self._error.errno, f"{self._id.f58}: {self._error.strerror or 'no such job'}")
        if self._last and not self._wishes.quiet:
            self._complain(self._last)
        return self._code

    def _watch(self, path: str, take: Any) -> None:
        def heard(watch: Any) -> None:
            """Takes the next event, or the end of them."""
            assert isinstance(watch, JobEventWatchFuture)
            try:
                event = watch.get_event()
            except OSError as error:
                if path == EVENTS or error.errno != ENOENT:
                    self._error = error
                event = None
            if event is not None:
                take(event)
                if path == EVENTS and event.name == self._wishes.wait_event:
                    watch.cancel()
                return
            self._open -= 1
            if not self._open or self._error is not None:
                self._handle.reactor_stop()

        self._open += 1
        event_watch_async(self._handle, self._id, path).then(heard)

    # -- what becomes of it -----------------------------------------------------------------------------------------

    def _happened(self, event: Any) -> None:
        self._first = self._first or event.timestamp
        if event.name == "exception":
            self._excepted(event)
        elif event.name == "finish":
            self._finished(event.context["status"])
        if self._wishes.show_events and event.name != "exception":
            self._say(f"job.{event.name}", event)

    def _executed(self, event: Any) -> None:
        if event.name == "shell.init" and not self._wishes.read_only and self._stdin is None:
            self._stdin = Stdin(self._handle, event.context["service"], event.context["leader-rank"])
        if self._wishes.show_exec:
            self._say(f"exec.{event.name}", event)

    def _excepted(self, event: Any) -> None:
        told = event.context
        if told["severity"] == 0:
            self._code = self._code or 1
        if not self._wishes.quiet:
            what = f"type={told['type']} severity={told['severity']} {told.get('note') or ''}".rstrip()
            took = f"{event.timestamp - self._first:.3f}s"
            print(f"{took}: job.exception {self._id.f58} {what}", file=sys.stderr, flush=True)

    def _finished(self, status: int) -> None:
        self._code = max(self._code, exit_code(status)) if status else self._code
        if status:
            code = exit_code(status)
            how = f"exited with exit code {code}" if code < 128 else str(signal.strsignal(code - 128))
            self._last = f"task(s) {how}"

    def _say(self, what: str, event: Any) -> None:
        took = f"{event.timestamp - self._first:.3f}s"
        print(f"{took}: {what} {event.context_string}".rstrip(), file=sys.stderr, flush=True)

    def _complain(self, text: str) -> None:
        complain(self._wishes.command, text)

    def _print(self, event: Any) -> None:
        try:
            self._printer.take(event)
        except BrokenPipeError:
            if self._wishes.cancel_unread:
                with Flux() as another:  # ours is full of output
                    cancel(another, self._id, "nobody reads its output")
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.raise_signal(signal.SIGPIPE)

    # -- our signals ------------------------------------------------------------------------------------------------

    def _heed_signals(self) -> None:
        heeded = (signal.SIGINT, signal.SIGTSTP, *PASSED_ON)
        self._watchers = [
            self._handle.signal_watcher_create(signum, lambda h, w, number, args: self._signalled(number))
            for signum in heeded
        ]
        for watcher in self._watchers:
            watcher.start()

    def _signalled(self, signum: int) -> None:
        recent = monotonic() - self._interrupted < PATIENCE
        if signum == signal.SIGINT:
            self._interrupt(recent=recent)
        elif signum != signal.SIGTSTP:
            kill_async(self._handle, self._id, signum)
        elif recent:
            self._complain("detaching...")
            self._code = 1
            self._handle.reactor_stop()
        else:
            signal.raise_signal(signal.SIGSTOP)

    def _interrupt(self, *, recent: bool) -> None:
        if recent:
            cancel_async(self._handle, self._id, "interrupted by ctrl-C")
            return
        self._interrupted = monotonic()
        self._complain("one more ctrl-C within 2s to cancel or ctrl-Z to detach")
