"""The output of a job as it is written: followed, decoded, to our stdout and stderr."""

import sys
from collections.abc import Callable
from typing import Any

from flux.base.iodata import decode
from flux.base.jobid import JobID
from flux.core.handle import Flux
from flux.eventlog import EventLogEvent
from flux.job.event import JobEventWatchFuture, event_watch_async


class Printer:
    """Prints what tasks write; with labels, each line begins with its task's number."""

    def __init__(self, *, labelled: bool) -> None:
        self._labelled = labelled
        self._open: dict[tuple[str, str], bytes] = {}

    def take(self, event: EventLogEvent) -> None:
        """Takes an event of guest.output."""
        if event.name == "data":
            self._data(event.context)
        elif event.name == "log":
            print(f"flux-job: {event.context['message']}", file=sys.stderr, flush=True)

    def _data(self, context: dict[str, Any]) -> None:
        piece, task = decode(context), str(context["rank"])
        to = sys.stderr if piece.stream == "stderr" else sys.stdout
        data = self._labels(piece.stream, task, piece.data, end=piece.end) if self._labelled else piece.data
        if data:
            to.flush()
            to.buffer.write(data)
            to.buffer.flush()

    def _labels(self, stream: str, task: str, data: bytes, *, end: bool) -> bytes:
        """Whole lines only; what has no end yet waits for it."""
        lines = (self._open.pop((stream, task), b"") + data).splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            if end:
                lines[-1] += b"\n"
            else:
                self._open[stream, task] = lines.pop()
        return b"".join(b"%s: %s" % (task.encode(), line) for line in lines)


def follow(
    handle: Flux,
    id: JobID,
    over: Callable[[], None],
    *,
    labelled: bool = False,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Prints a job's output while the reactor runs, until its end, which `over` is told.

    `before` is called before anything is printed.
    """
    printer = Printer(labelled=labelled)

    def heard(watch: Any) -> None:
        assert isinstance(watch, JobEventWatchFuture)
        try:
            event = watch.get_event()
        except OSError:  # it has none
            event = None
        if event is not None:
            before()
            printer.take(event)
        else:
            over()

    event_watch_async(handle, id, "guest.output").then(heard)
