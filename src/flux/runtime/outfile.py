"""Files that jobs write their output to: a thread of their own opens, writes and closes them."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

Told = Callable[[OSError | None], None]
"""Called in the loop when something is done, or why it could not be."""


class OutFiles:
    """Of one broker. A file is begun anew by the first who writes to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._jobs: SimpleQueue[tuple[str, bytes | None, Told]] = SimpleQueue()
        self._open: dict[str, int] = {}
        self._thread: Thread | None = None

    def write(self, path: str, data: bytes, told: Told) -> None:
        """Appends to a file."""
        self._put(path, data, told)

    def close(self, path: str, told: Told) -> None:
        """All that was written to a file is in it."""
        self._put(path, None, told)

    def _put(self, path: str, data: bytes | None, told: Told) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._live, name="outfiles", daemon=True)
            self._thread.start()
        self._jobs.put((path, data, told))

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _live(self) -> None:
        while True:
            path, data, told = self._jobs.get()
            error: OSError | None = None
            try:
                self._do(path, data)
            except OSError as failed:
                error = OSError(failed.errno, f"{path}: {failed.strerror}")
            with suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
                self._loop.call_soon_threadsafe(told, error)

    def _do(self, path: str, data: bytes | None) -> None:
        if data is None:
            if path in self._open:
                os.close(self._open.pop(path))
            return
        if path not in self._open:
            self._open[path] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        view = memoryview(data)
        while view:
            view = view[os.write(self._open[path], view) :]
