"""One end of a process's stream, served by the event loop: what it writes, what it reads. Knows no process."""

import os
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable

CHUNK = 65536


class Output:
    """What a process writes. `told` gets it as it comes, and b"" once at the end."""

    def __init__(self, loop: AbstractEventLoop, descriptor: int, told: Callable[[bytes], None]) -> None:
        os.set_blocking(descriptor, False)
        self.ended = False
        self._loop = loop
        self._descriptor = descriptor
        self._told = told
        self._reading = False

    def resume(self) -> None:
        """Reads; nothing is read before the first call."""
        if not self.ended and not self._reading:
            self._reading = True
            self._loop.add_reader(self._descriptor, self._readable)

    def pause(self) -> None:
        """Reads no more for now, so that the process waits once the pipe is full."""
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._descriptor)

    def drain(self) -> None:
        """Reads what is left of a process that is dead, and ends."""
        while not self.ended:
            try:
                self._take(os.read(self._descriptor, CHUNK))
            except OSError:
                self._take(b"")

    def close(self) -> None:
        """Lets go without another word."""
        if not self.ended:
            self.pause()
            self.ended = True
            os.close(self._descriptor)

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # the other end of a channel or a terminal was torn off
            data = b""
        self._take(data)

    def _take(self, data: bytes) -> None:
        if not data:
            self.close()
        self._told(data)


class Input:
    """What a process reads. `told` gets how many bytes it has taken; what it will never take counts as taken."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        descriptor: int,
        told: Callable[[int], None],
        shut: Callable[[int], None] = os.close,
    ) -> None:
        os.set_blocking(descriptor, False)
        self.ended = False
        self._loop = loop
        self._descriptor = descriptor
        self._told = told
        self._shut = shut
        self._waiting: deque[bytes | memoryview] = deque()
        self._last = False
        self._taken = 0

    def write(self, data: bytes) -> None:
        """Passes data on, as far as there is room now, and the rest later."""
        if self._last or not data:
            return
        self._waiting.append(data)
        if len(self._waiting) == 1 and not self._flush():
            self._loop.add_writer(self._descriptor, self._writable)

    def close(self) -> None:
        """Ends the stream, after what is still waiting."""
        self._last = True
        if not self._waiting:
            self._finish()

    def abandon(self) -> None:
        """Ends the stream now: there is nobody left to read it."""
        self._last = True
        if self._waiting:
            self._drop()
            self._loop.remove_writer(self._descriptor)
        self._finish()

    def _writable(self) -> None:
        if self._flush():
            self._loop.remove_writer(self._descriptor)
            if self._last:
                self._finish()

    def _flush(self) -> bool:
        """Writes until the pipe is full. Whether all is written."""
        while self._waiting:
            data = self._waiting[0]
            try:
                count = os.write(self._descriptor, data)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:  # nobody reads: what comes is taken and forgotten, or the writer would wait for ever
                self._drop()
                return True
            self._take(count)
            if count < len(data):
                self._waiting[0] = memoryview(data)[count:]
            else:
                self._waiting.popleft()
        return True

    def _drop(self) -> None:
        self._take(sum(map(len, self._waiting)))
        self._waiting.clear()

    def _take(self, count: int) -> None:
        if not self._taken:
            self._loop.call_soon(self._tell)  # not at once: the caller of write is still writing
        self._taken += count

    def _tell(self) -> None:
        count, self._taken = self._taken, 0
        self._told(count)

    def _finish(self) -> None:
        if not self.ended:
            self.ended = True
            self._shut(self._descriptor)
