"""Changes of the roots, in the order in which they came. What waits is written at once: the blobs, then the roots."""

from asyncio import Future, Task, gather, get_running_loop
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, NamedTuple

from flux.base.liveroots import LiveRoots
from flux.modules.content_shelf import roots as record
from flux.service.ports import Shelf

Put = Callable[[bytes, bytes], Coroutine[Any, Any, None]]
NOTHING: Mapping[bytes, bytes] = {}


class Change(NamedTuple):
    """Blobs, what becomes of the roots once they are there, and who waits for that."""

    blobs: Mapping[bytes, bytes]
    make: Callable[[LiveRoots], object]
    done: "Future[None]"


class Commits:
    """The roots that are on the shelf, and what is to become of them. `put` keeps one blob."""

    def __init__(self, shelf: Shelf, roots: LiveRoots, put: Put) -> None:
        self.roots = roots
        self._shelf, self._put = shelf, put
        self._waiting: list[Change] = []
        self._writing: list[Change] = []
        self._writer: Task[None] | None = None

    def keys(self) -> set[bytes]:
        """The blobs to which roots lead that are not on the shelf yet."""
        return {key for change in (*self._waiting, *self._writing) for key in change.blobs}

    async def add(self, make: Callable[[LiveRoots], object], blobs: Mapping[bytes, bytes] = NOTHING) -> None:
        """Makes a change; returns when it is on the shelf."""
        change = Change(blobs, make, get_running_loop().create_future())
        self._waiting.append(change)
        if self._writer is None:
            self._writer = get_running_loop().create_task(self._write())
        await change.done

    async def end(self) -> None:
        """Returns when nothing waits any more."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        try:
            while self._waiting:
                self._writing, self._waiting = self._waiting, []
                await self._move(await self._stored(self._writing))
        finally:
            self._writer, self._writing = None, []

    async def _stored(self, changes: list[Change]) -> list[Change]:
        """Those whose blobs are all there."""
        blobs = {key: blob for change in changes for key, blob in change.blobs.items()}
        stored = await gather(*(self._put(key, blob) for key, blob in blobs.items()), return_exceptions=True)
        failed = {key: error for key, error in zip(blobs, stored, strict=True) if error is not None}
        good = []
        for change in changes:
            error = next((failed[key] for key in change.blobs if key in failed), None)
            if error is None:
                good.append(change)
            else:
                _settle(change, error)
        return good

    async def _move(self, changes: list[Change]) -> None:
        after = record.copy(self.roots)
        made = [change for change in changes if _make(change, after)]
        if not made:
            return
        try:
            await self._shelf.replace(record.NAME, record.encode(after))
        except OSError as error:
            for change in made:
                _settle(change, error)
            return
        self.roots = after
        for change in made:
            _settle(change, None)


def _make(change: Change, roots: LiveRoots) -> bool:
    try:
        change.make(roots)
    except OSError as error:
        _settle(change, error)
        return False
    return True


def _settle(change: Change, error: BaseException | None) -> None:
    if change.done.done():
        return  # who waited has left
    if error is None:
        change.done.set_result(None)
    else:
        change.done.set_exception(OSError(*error.args[:2]) if isinstance(error, OSError) else error)
