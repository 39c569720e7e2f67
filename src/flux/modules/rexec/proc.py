"""One process, and what must be told of it to the client that listens and to who waits. Tells nothing itself."""

from collections import deque
from errno import EINVAL
from typing import Any

from flux.base.iodata import encode
from flux.base.lines import Chunks, Lines
from flux.modules.rexec.command import Command

STDOUT, STDERR, CHANNEL, WRITE_CREDIT, WAITABLE = 1, 2, 4, 8, 16
"""Flags of a request."""
FALLTHROUGH, NO_SETPGRP = 1, 2
"""Its local flags that mean something here; how the process is forked (4) is the keeper's business."""
RETAINED = 8192
"""Bytes of output that are kept for who waits."""

Answer = dict[str, Any]


class Proc:
    """A process from its request to its last output. Methods are told what happened and return the answers due."""

    def __init__(self, command: Command, rank: int, flags: int, local_flags: int, background: bool) -> None:
        check_flags(command, flags, local_flags, background)
        self.command = command
        self.background = background
        self.waitable = bool(flags & WAITABLE)
        self.group = not local_flags & NO_SETPGRP
        self.pid = 0
        self.status: int | None = None
        self.attached = False
        """Whether a client listens to what was started in the background."""
        self._rank = str(rank)
        self._flags = flags
        self.streams = self._captured(local_flags)
        self._lines = {
            stream: Lines(command.buffer_size(stream)) if command.line_buffered(stream) else Chunks()
            for stream in (*self.streams, *command.channels)
            if stream != "stdin"
        }
        self._open = set(self._lines)
        self._forwarded = self._selected(flags)
        self._windows = {stream: 0 if background else command.window(stream) for stream in self._lines}
        self._underway = dict.fromkeys(self._lines, 0)
        """Bytes of output that the client has not dealt with, by stream, if it minds that."""
        self._waiting = dict.fromkeys((*command.channels, *({"stdin"} & {*self.streams})), 0)
        """Bytes of input that were written and not yet taken, by stream."""
        self._room = {stream: command.buffer_size(stream) for stream in self._waiting}
        self._retained: deque[tuple[int, Answer]] = deque()

    # -- its life ---------------------------------------------------------------------------------------------------

    def started(self, pid: int) -> list[Answer]:
        """It runs."""
        self.pid = pid
        answers: list[Answer] = [{"type": "started", "pid": pid}]
        if self._flags & WRITE_CREDIT and self._room:
            answers.append({"type": "add-credit", "channels": dict(self._room)})
        return answers

    def stopped(self) -> list[Answer]:
        """A signal has stopped it."""
        return [{"type": "stopped"}]

    def exited(self, status: int) -> list[Answer]:
        """It has ended; output may still come."""
        self.status = status
        return [{"type": "finished", "status": status}]

    @property
    def done(self) -> bool:
        """Whether there is nothing more to come, so that a stream of answers may end."""
        return self.status is not None and not self._open

    # -- output -----------------------------------------------------------------------------------------------------

    def pieces(self, stream: str, data: bytes) -> list[bytes]:
        """What of a stream can be told now that `data` has come: whole lines, if it is so; b"" is its end."""
        if not data:
            self._open.discard(stream)
        return self._lines[stream].feed(data)

    def output(self, stream: str, pieces: list[bytes]) -> list[Answer]:
        """The answers that carry these pieces to the client."""
        if stream not in self._forwarded:
            return []
        self._underway[stream] += sum(map(len, pieces))
        return [{"type": "output", "pid": self.pid, "io": encode(stream, self._rank, piece)} for piece in pieces]

    def blocked(self, stream: str) -> bool:
        """Whether the process has to wait until the client has dealt with more of its output."""
        return 0 < self._windows[stream] <= self._underway[stream]

    def dealt(self, stream: str, count: int) -> None:
        """The client has dealt with so much output."""
        self._underway[stream] = max(0, self._underway[stream] - count)

    def retain(self, stream: str, pieces: list[bytes]) -> None:
        """Keeps the most recent output for who will wait; always at least one piece whole."""
        self._retained.extend((len(piece), encode(stream, self._rank, piece)) for piece in pieces if piece)
        size = sum(length for length, _ in self._retained)
        while size > RETAINED and len(self._retained) > 1:
            size -= self._retained.popleft()[0]

    def result(self) -> Answer:
        """What who waits gets at the end."""
        answer: Answer = {"status": self.status}
        if self._retained:
            answer["output"] = [io for _, io in self._retained]
        return answer

    # -- input ------------------------------------------------------------------------------------------------------

    def written(self, stream: str, count: int) -> bool:
        """A client has written. False when that is more than it had room for."""
        self._waiting[stream] += count
        return self._waiting[stream] <= self._room[stream]

    @property
    def outputs(self) -> list[str]:
        """The streams that it writes."""
        return list(self._lines)

    def takes(self, stream: str) -> bool:
        """Whether there is such a stream to write to."""
        return stream in self._waiting

    def drained(self, stream: str, count: int) -> list[Answer]:
        """It has taken input."""
        self._waiting[stream] -= count
        return [{"type": "add-credit", "channels": {stream: count}}] if self._flags & WRITE_CREDIT else []

    # -- attached clients -------------------------------------------------------------------------------------------

    def attach(self, data: dict[str, Any], flags: int) -> list[Answer]:
        """A client listens from now on. `data` is the command object; streams that have ended end again for it."""
        self._forwarded = self._selected(flags)
        answers: list[Answer] = [{"type": "attached", "pid": self.pid, "cmd": data}]
        for stream in sorted(self._forwarded - self._open):
            answers += self.output(stream, [b""])
        if self.status is not None:
            answers += self.exited(self.status)
        return answers

    # -- as others see it -------------------------------------------------------------------------------------------

    def entry(self) -> dict[str, Any]:
        """Its line in a list of processes."""
        state = "R" if self.status is None else "Z"
        return {"pid": self.pid, "cmd": self.command.name, "label": self.command.label or "", "state": state}

    def _captured(self, local_flags: int) -> list[str]:
        """The standard streams that are ours; what nobody asked for is the broker's own."""
        if local_flags & FALLTHROUGH:
            return []
        wanted = {"stdin": True, "stdout": self._flags & STDOUT, "stderr": self._flags & STDERR}
        return [stream for stream, flag in wanted.items() if flag or self.background]

    def _selected(self, flags: int) -> set[str]:
        chosen = {"stdout": flags & STDOUT, "stderr": flags & STDERR}
        return {stream for stream in self._lines if chosen.get(stream, flags & CHANNEL)}


def check_flags(command: Command, flags: int, local_flags: int, background: bool) -> None:
    """Refuses what does not go together."""
    refusal = ""
    if background and flags & WRITE_CREDIT:
        refusal = "write-credit flag is not allowed in background mode"
    elif background and local_flags & FALLTHROUGH:
        refusal = "stdio-fallthrough flag is not allowed in background mode"
    elif background and command.channels:
        refusal = "auxiliary channels are not allowed in background mode"
    elif not background and flags & WAITABLE:
        refusal = "waitable flag only supported in background mode"
    if refusal:
        raise OSError(EINVAL, refusal)
