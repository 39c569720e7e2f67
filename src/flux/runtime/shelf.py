"""A directory of files that are written once and whole, in a thread of its own."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from errno import ENOENT
from tempfile import mkstemp
from typing import TypeVar

T = TypeVar("T")


class Shelf:
    """What is written is there under its name or not at all, whoever dies; `durable`: also if the machine does."""

    def __init__(self, path: str, *, durable: bool) -> None:
        self.path = path
        self._durable = durable
        self._thread = ThreadPoolExecutor(1, "shelf")

    async def open(self) -> None:
        """Makes the directory if it is not there. OSError names it."""
        await self.do(lambda: os.makedirs(self.path, 0o700, exist_ok=True))
        if not await self.do(lambda: os.access(self.path, os.W_OK | os.X_OK)):
            raise PermissionError(13, "Permission denied", self.path)

    async def do(self, work: Callable[[], T]) -> T:
        """Does something in the thread, after all that was asked for before."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def read(self, name: str) -> bytes:
        """A file; OSError(ENOENT) if there is none. In the thread."""
        with open(os.path.join(self.path, name), "rb") as file:
            return file.read()

    def has(self, name: str) -> bool:
        """Whether there is a file. In the thread."""
        return os.path.exists(os.path.join(self.path, name))

    def write(self, name: str, data: bytes, *, again: bool = True) -> None:
        """Writes a file; unless `again`, one that is there stays as it is. In the thread."""
        where = os.path.join(self.path, name)
        if not again and os.path.exists(where):
            return
        try:
            self._write(where, data)
        except OSError as error:
            if error.errno != ENOENT:
                raise
            os.makedirs(os.path.dirname(where), 0o700, exist_ok=True)
            self._write(where, data)

    def _write(self, where: str, data: bytes) -> None:
        number, part = mkstemp(prefix=".part-", dir=os.path.dirname(where))
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
                if self._durable:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(part, where)
        except BaseException:
            with suppress(OSError):
                os.unlink(part)
            raise

    async def close(self) -> None:
        """Ends the thread when all is done."""
        await asyncio.get_running_loop().run_in_executor(None, self._thread.shutdown)


def open_shelf(path: str, *, durable: bool = False) -> Shelf:
    """A directory for files, not opened yet."""
    return Shelf(path, durable=durable)
