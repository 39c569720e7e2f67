"""Shelves whose work blocks, done in threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Blocking(Protocol):
    """The Shelf of `shelf_port`, to be called from any thread, from several at a time."""

    path: str

    def open(self) -> None: ...
    def load(self, name: str) -> bytes: ...
    def store(self, name: str, blob: bytes) -> None: ...
    def replace(self, name: str, blob: bytes) -> None: ...
    def remove(self, name: str) -> None: ...
    def names(self) -> dict[str, int]: ...
    def sync(self) -> None: ...
    def close(self) -> None: ...


class Threads:
    """The Shelf of `shelf_port`, by so many threads."""

    def __init__(self, shelf: Blocking, threads: int) -> None:
        self.path = shelf.path
        self._shelf = shelf
        self._pool = ThreadPoolExecutor(threads, "shelf")

    async def open(self) -> None:
        """Begins."""
        try:
            await self._do(self._shelf.open)
        except BaseException:
            await self.close()
            raise

    async def load(self, name: str) -> bytes:
        """The blob of a name."""
        return await self._do(self._shelf.load, name)

    async def store(self, name: str, blob: bytes) -> None:
        """Keeps a blob that has the name of its content."""
        await self._do(self._shelf.store, name, blob)

    async def replace(self, name: str, blob: bytes) -> None:
        """Keeps a blob instead of another one."""
        await self._do(self._shelf.replace, name, blob)

    async def remove(self, name: str) -> None:
        """Lets a blob go."""
        await self._do(self._shelf.remove, name)

    async def names(self) -> dict[str, int]:
        """What there is, and how large."""
        return await self._do(self._shelf.names)

    async def sync(self) -> None:
        """Waits for the disk."""
        await self._do(self._shelf.sync)

    async def close(self) -> None:
        """Ends the threads, after what they were asked for."""
        await asyncio.get_running_loop().run_in_executor(None, self._pool.shutdown)
        self._shelf.close()

    async def _do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))
