"""A process that the keeper runs for this broker: its streams, its end, and who watches it."""

import os
import signal
import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable, Iterable
from contextlib import suppress
from errno import EINVAL, ESRCH
from functools import partial

from flux.runtime.spawn_port import Watcher
from flux.runtime.spawn_streams import Input, Output

SIGNALS = frozenset(signal.valid_signals())


class Child:
    """The Process of `spawn_port`. It is silent until `begin`, so that nobody hears of it before its starter."""

    def __init__(self, loop: AbstractEventLoop, watcher: Watcher) -> None:
        self.pid = 0
        self.status: int | None = None
        """The wait status, once it has ended."""
        self.group = True
        self.signal: Callable[[int, int], None]
        """Sends a signal to a pid; set by who started it, as is `over`."""
        self.over: Callable[[], None]
        """Called when nothing more can come of it."""
        self._loop = loop
        self._watcher = watcher
        self._outputs: dict[str, Output] = {}
        self._inputs: dict[str, Input] = {}
        self._begun = False
        self._paused: set[str] = set()
        self._unsaid: list[Callable[[], None]] = []

    # -- its streams ------------------------------------------------------------------------------------------------

    def open(self, streams: Iterable[str], channels: Iterable[str]) -> dict[str, int]:
        """Makes the pipes and the channels. Returns the child's ends by name; they are the caller's to close."""
        theirs: dict[str, int] = {}
        try:
            for name in streams:
                theirs[name] = self._pipe(name)
            for name in channels:
                theirs[name] = self._channel(name)
        except OSError:
            _close(theirs.values())
            self.forget()
            raise
        return theirs

    def _pipe(self, name: str) -> int:
        if name not in ("stdin", "stdout", "stderr"):
            raise OSError(EINVAL, f"{name}: no such stream")
        read, write = os.pipe()
        if name == "stdin":
            self._inputs[name] = Input(self._loop, write, partial(self._drained, name))
            return read
        self._outputs[name] = Output(self._loop, read, partial(self._output, name))
        return write

    def _channel(self, name: str) -> int:
        ours, theirs = socket.socketpair()
        self._outputs[name] = Output(self._loop, os.dup(ours.fileno()), partial(self._output, name))
        self._inputs[name] = Input(self._loop, ours.detach(), partial(self._drained, name), _shut)
        return theirs.detach()

    def write(self, stream: str, data: bytes) -> None:
        """Passes data to its stdin, or to a channel."""
        if stream in self._inputs:
            self._inputs[stream].write(data)

    def close(self, stream: str) -> None:
        """Ends its stdin, or our side of a channel."""
        if stream in self._inputs:
            self._inputs[stream].close()

    def pause(self, stream: str) -> None:
        """Reads no more of its output for now."""
        if stream in self._outputs:
            self._paused.add(stream)
            self._outputs[stream].pause()

    def resume(self, stream: str) -> None:
        """Reads its output again."""
        self._paused.discard(stream)
        if stream in self._outputs and self._begun:
            self._outputs[stream].resume()

    # -- its life ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Tells what has happened so far, and from now on what happens."""
        self._begun = True
        for say in self._unsaid:
            say()
        self._unsaid.clear()
        for name in self._outputs.keys() - self._paused:
            self._outputs[name].resume()

    def kill(self, signum: int) -> None:
        """Signals its process group, also what is left of it after its leader while that still holds a stream."""
        if signum not in SIGNALS:
            raise OSError(EINVAL, f"{signum}: no such signal")
        if self._is_over():
            raise OSError(ESRCH, f"process {self.pid} has ended")
        self.signal(self.pid, signum)

    def stop(self, signum: int) -> None:
        """The keeper says that a signal has stopped it."""
        self._say(partial(self._watcher.stopped, self, signum))

    def end(self, status: int) -> None:
        """The keeper says that it has ended."""
        self.status = status
        self._say(partial(self._watcher.exited, self, status))
        self._settle()

    def drain(self) -> None:
        """Delivers what is left, when nothing can come any more."""
        if not self._begun:
            self.begin()
        for output in self._outputs.values():
            output.drain()

    def forget(self) -> None:
        """Closes everything; nobody is told."""
        for output in self._outputs.values():
            output.close()
        for entry in self._inputs.values():
            entry.abandon()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _say(self, say: Callable[[], None]) -> None:
        if self._begun:
            say()
        else:
            self._unsaid.append(say)

    def _output(self, name: str, data: bytes) -> None:
        self._watcher.output(self, name, data)
        if not data:
            self._settle()

    def _drained(self, name: str, count: int) -> None:
        self._say(partial(self._watcher.drained, self, name, count))

    def _is_over(self) -> bool:
        return self.status is not None and all(output.ended for output in self._outputs.values())

    def _settle(self) -> None:
        """Who has ended, and whose output has ended, reads nothing any more."""
        if self._is_over():
            self.forget()
            self.over()


def _shut(descriptor: int) -> None:
    """Ends our side of a channel; the other direction is another descriptor of the same socket."""
    with socket.socket(fileno=descriptor) as sock, suppress(OSError):  # the other side may be gone already
        sock.shutdown(socket.SHUT_WR)


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
