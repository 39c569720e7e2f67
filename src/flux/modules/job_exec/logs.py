"""What is written of a job that runs: guest.exec.eventlog (RFC 50) and guest.output (RFC 24). Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from flux.base.kvswrites import Writes

STREAMS = ("stdout", "stderr")
LIMIT = 1 << 30
"""Bytes of output that are kept of one stream of a job, unless it says otherwise (`-o output.limit`)."""
INPUT_LIMIT = 10 << 20
"""Bytes of its input that are kept."""


class Logs:
    """Those of one job."""

    def __init__(self, kvs: str, ntasks: int, writes: Writes, limit: int = LIMIT) -> None:
        self._kvs, self._writes, self._ntasks = kvs, writes, ntasks
        self._left = dict.fromkeys(STREAMS, limit)
        self._limit = limit
        self._input_left = INPUT_LIMIT
        self._read = False
        self._open = {(stream, str(task)) for task in range(ntasks) for stream in STREAMS}

    def event(self, now: float, name: str, context: Mapping[str, Any] | None = None) -> None:
        """Something has happened to its execution."""
        self._line("exec.eventlog", now, name, context)

    def header(self, now: float) -> None:
        """Begins its output."""
        count = dict.fromkeys(STREAMS, self._ntasks)
        context = {"version": 1, "encoding": dict.fromkeys(STREAMS, "UTF-8"), "count": count, "options": {}}
        self._line("output", now, "header", context)

    def output(self, now: float, io: dict[str, Any], size: int) -> None:
        """A task has written something, or ended a stream. Beyond the limit it is said once that more is not kept."""
        stream = io["stream"]
        if io.get("eof"):
            self._open.discard((stream, str(io["rank"])))
        left = self._left[stream]
        if size and left <= 0:
            return
        self._left[stream] = left - size
        self._line("output", now, "data", io)
        if left > 0 >= self._left[stream]:
            message = f"{stream} will be truncated, {self._limit} bytes are kept"
            self._line("output", now, "log", {"level": 3, "rank": -1, "message": message})

    def input(self, now: float, io: dict[str, Any], size: int) -> None:
        """Something was written to its tasks."""
        if not self._read:
            self._read = True
            context = {"version": 1, "encoding": {"stdin": "UTF-8"}, "count": {"stdin": 1}, "options": {}}
            self._line("input", now, "header", context)
        if self._input_left > 0 or io.get("eof"):
            self._line("input", now, "data", io)
        self._input_left -= size

    def input_redirected(self, now: float, path: str) -> None:
        """Its tasks read a file."""
        self._line("input", now, "redirect", {"stream": "stdin", "rank": "all", "path": path})

    def end(self, now: float) -> None:
        """Ends all streams: tasks that were lost with their node have not done so."""
        for stream, task in sorted(self._open):
            self._line("output", now, "data", {"stream": stream, "rank": task, "eof": True})
        self._open.clear()

    def redirected(self, now: float, stream: str, path: str) -> None:
        """A stream goes to a file."""
        tasks = "0" if self._ntasks == 1 else f"0-{self._ntasks - 1}"
        self._line("output", now, "redirect", {"stream": stream, "rank": tasks, "path": path})

    def _line(self, log: str, now: float, name: str, context: Mapping[str, Any] | None) -> None:
        event: dict[str, Any] = {"timestamp": now, "name": name}
        if context is not None:
            event["context"] = context
        self._writes.line(f"{self._kvs}.guest.{log}", msgspec.json.encode(event) + b"\n")
