"""Changes of the roots, in the order in which they came. What waits is written at once: the blobs, then the roots."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from flux.base.liveroots import LiveRoots
from flux.modules.content_shelf import roots as record
from flux.service.ports import Shelf

Blobs = Mapping[bytes, bytes]
PutAll = Callable[[Blobs], Awaitable[Mapping[bytes, OSError]]]
"""Keeps blobs; returns those that could not be kept, and why."""


class Change(NamedTuple):
    """Blobs, what becomes of the roots once they are there, and who is told of it, or why not."""

    blobs: Blobs
    make: Callable[[LiveRoots], object]
    told: Callable[[OSError | None], None]


class Commits:
    """The roots that are on the shelf, and what is to become of them."""

    def __init__(self, shelf: Shelf, roots: LiveRoots, put_all: PutAll) -> None:
        self.roots = roots
        self._shelf, self._put_all = shelf, put_all
        self._waiting: list[Change] = []
        self._writing: list[Change] = []

    def keys(self) -> set[bytes]:
        """The blobs to which no root leads yet, but is about to."""
        return {key for change in (*self._waiting, *self._writing) for key in change.blobs}

    def add(self, change: Change) -> None:
        """Lets a change wait for `write`."""
        self._waiting.append(change)

    async def write(self) -> None:
        """Makes changes until none waits. To be called once at a time."""
        while self._waiting:
            self._writing, self._waiting = self._waiting, []
            await self._move(await self._stored(self._writing))
            self._writing = []

    async def _stored(self, changes: list[Change]) -> list[Change]:
        """Those whose blobs are all there."""
        failed = await self._put_all({key: blob for change in changes for key, blob in change.blobs.items()})
        good = []
        for change in changes:
            error = next((failed[key] for key in change.blobs if key in failed), None)
            if error is None:
                good.append(change)
            else:
                change.told(error)
        return good

    async def _move(self, changes: list[Change]) -> None:
        after = record.copy(self.roots)
        made = [change for change in changes if _make(change, after)]
        error = await self._written(after) if made else None
        if error is None:
            self.roots = after
        for change in made:
            change.told(error)

    async def _written(self, roots: LiveRoots) -> OSError | None:
        try:
            await self._shelf.replace(record.NAME, record.encode(roots))
        except OSError as error:
            return error
        return None


def _make(change: Change, roots: LiveRoots) -> bool:
    try:
        change.make(roots)
    except OSError as error:
        change.told(error)
        return False
    return True
