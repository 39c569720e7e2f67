"""Garbage: what live roots lead to is marked, in memory, and what is not marked then is removed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from errno import EIO
from typing import Any, NamedTuple

import msgspec

from flux.base.blobref import BlobHash, digest, is_blobref
from flux.base.treeobj import directory, encode, refs

AT_ONCE = 32
"""Blobs that are looked at, or removed, at a time."""
EMPTY = encode(directory())
"""What a store begins with, before there is any commit: it is always in use."""


class Ways(NamedTuple):
    """How a collection reaches the shelf."""

    load_all: Callable[[list[str]], Awaitable[list[bytes]]]
    remove_all: Callable[[list[str]], Awaitable[None]]
    names: Callable[[], Awaitable[dict[str, int]]]


class Collection:
    """One collection. Whatever is noted from its beginning on stays, and so what later commits lead to."""

    def __init__(self, ways: Ways, blobhash: BlobHash, roots: Callable[[], list[str]], fresh: set[bytes]) -> None:
        self._ways, self._roots = ways, roots
        self._fresh = fresh
        self._marked = {blobhash.digest(EMPTY)}
        self._found = {"swept": 0, "bytes": 0, "before": 0, "size": 0, "cursor": 0, "horizon": 0, "free": 0}
        self._removing: set[bytes] = set()

    def note(self, key: bytes) -> bool:
        """A blob is about to be stored: it stays. Says whether it is just being removed, which has to be over then."""
        self._fresh.add(key)
        return key in self._removing

    async def run(self) -> AsyncIterator[dict[str, Any]]:
        """Does all of it; yields figures now and then, and at the end."""
        done: set[str] = set()
        while todo := [ref for ref in self._roots() if ref not in done]:
            done.update(todo)
            async for figures in self._mark(todo):
                yield figures
        sizes = await self._ways.names()
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
            for ref, below in zip(unread, await self._load(unread), strict=True):
                todo += _refs(ref, below)
            yield self._figures("mark")

    def _is_new(self, ref: str) -> bool:
        before = len(self._marked)
        self._marked.add(digest(ref))
        return len(self._marked) > before

    async def _load(self, some: list[str]) -> list[bytes]:
        try:
            return await self._ways.load_all(some)
        except OSError as error:
            raise OSError(EIO, f"{error.strerror} (see flux fsck): nothing was removed") from None

    async def _remove(self, names: list[str], sizes: dict[str, int]) -> None:
        self._removing = set(map(digest, names))
        try:
            await self._ways.remove_all(names)
        finally:
            self._removing = set()
        size = sum(sizes[name] for name in names)
        self._found["swept"] += len(names)
        self._found["bytes"] += size
        self._found["size"] -= size

    def _figures(self, phase: str) -> dict[str, Any]:
        return self._found | {"phase": phase, "marked": len(self._marked)}


def _refs(ref: str, blob: bytes) -> list[tuple[str, bool]]:
    try:
        return list(refs(msgspec.json.decode(blob)))
    except (msgspec.MsgspecError, LookupError, TypeError, AttributeError):
        raise OSError(EIO, f"directory {ref} is damaged (see flux fsck): nothing was removed") from None
