"""Garbage: what live roots lead to is marked, in memory, and what is not marked then is removed."""

from asyncio import Event, gather
from collections.abc import AsyncIterator, Callable
from errno import EIO
from typing import Any

import msgspec

from flux.base.blobref import BlobHash, digest, is_blobref
from flux.base.treeobj import directory, encode, refs
from flux.service.ports import Shelf

AT_ONCE = 32
"""Blobs that are looked at, or removed, at a time."""
EMPTY = encode(directory())
"""What a store begins with, before there is any commit: it is always in use."""


class Collection:
    """One collection. Whatever is noted from its beginning on stays, and so what later commits lead to."""

    def __init__(self, shelf: Shelf, blobhash: BlobHash, roots: Callable[[], list[str]], fresh: set[bytes]) -> None:
        self._shelf, self._hash, self._roots = shelf, blobhash, roots
        self._fresh = fresh
        self._marked = {blobhash.digest(EMPTY)}
        self._found = {"swept": 0, "bytes": 0, "before": 0, "size": 0, "cursor": 0, "horizon": 0, "free": 0}
        self._removing: set[bytes] = set()
        self._removed = Event()

    async def note(self, key: bytes) -> None:
        """A blob is about to be stored: it stays. If it is just being removed, that has to be over."""
        self._fresh.add(key)
        while key in self._removing:
            await self._removed.wait()

    async def run(self) -> AsyncIterator[dict[str, Any]]:
        """Does all of it; yields figures now and then, and at the end."""
        done: set[str] = set()
        while todo := [ref for ref in self._roots() if ref not in done]:
            done.update(todo)
            async for figures in self._mark(todo):
                yield figures
        sizes = await self._shelf.names()
        self._found["before"] = self._found["size"] = sum(sizes.values())
        garbage = [name for name in sizes if is_blobref(name) and not self._stays(digest(name))]
        self._found["horizon"] = len(garbage)
        for at in range(0, len(garbage), AT_ONCE):
            await self._remove([name for name in garbage[at : at + AT_ONCE] if not self._stays(digest(name))], sizes)
            self._found["cursor"] = at
            yield self._figures("sweep")
        yield self._figures("done")

    def _stays(self, key: bytes) -> bool:
        return key in self._marked or key in self._fresh

    async def _mark(self, roots: list[str]) -> AsyncIterator[dict[str, Any]]:
        todo = [(ref, True) for ref in roots]
        while todo:
            some = [todo.pop() for _ in range(min(AT_ONCE, len(todo)))]
            unread = [ref for ref, is_directory in some if self._is_new(ref) and is_directory]
            for below in await gather(*map(self._open, unread)):
                todo += below
            yield self._figures("mark")

    def _is_new(self, ref: str) -> bool:
        before = len(self._marked)
        self._marked.add(digest(ref))
        return len(self._marked) > before

    async def _open(self, ref: str) -> list[tuple[str, bool]]:
        try:
            return list(refs(msgspec.json.decode(await self._shelf.load(ref))))
        except (OSError, msgspec.MsgspecError, LookupError, TypeError, AttributeError):
            raise OSError(EIO, f"directory {ref} is missing or damaged (see flux fsck): nothing was removed") from None

    async def _remove(self, names: list[str], sizes: dict[str, int]) -> None:
        self._removing = set(map(digest, names))
        try:
            await gather(*map(self._shelf.remove, names))
        finally:
            self._removing = set()
            self._removed.set()
            self._removed = Event()
        size = sum(sizes[name] for name in names)
        self._found["swept"] += len(names)
        self._found["bytes"] += size
        self._found["size"] -= size

    def _figures(self, phase: str) -> dict[str, Any]:
        return self._found | {"phase": phase, "marked": len(self._marked)}
