"""A backing store whose blobs are on a shelf: what content-files and content-s3 have in common."""

from asyncio import Lock, Task, gather, get_running_loop
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from errno import EBUSY, EINVAL, EIO
from typing import Any

from flux.base.blobref import BlobHash, digest
from flux.base.liveroots import LiveRoots, checked
from flux.modules.content_shelf import roots as record
from flux.modules.content_shelf.collection import Collection, Ways
from flux.modules.content_shelf.commits import Blobs, Change, Commits
from flux.service import Call, Service, every, request
from flux.service.ports import Shelf
from flux.service.settings import setting
from flux.wire.message import USER

AGE = 300.0
"""Seconds that a blob has, which was stored by itself, until a commit leads to it."""

NOTHING: Blobs = {}


class ShelfStore(Service):
    """Keeps blobs and roots on a shelf that `open_shelf` opens. Rank 0 only."""

    aliases = ("content-backing",)
    opened = False

    async def open_shelf(self) -> Shelf:
        """To be said by who is one."""
        raise NotImplementedError

    async def start(self) -> None:
        if self.host.rank != 0:
            raise OSError(EINVAL, "a content backing store can only be loaded on rank 0")
        self.hash = BlobHash(setting(self.host.attributes, "content.hash", "sha1"))
        self.shelf = await self.open_shelf()
        try:
            found = await self._read_roots()
        except BaseException:
            await self.shelf.close()
            raise
        self.commits = Commits(self.shelf, found, self._put_all)
        self.opened = True
        self.collection: Collection | None = None
        self._writer: Task[None] | None = None
        self._removing = Lock()
        self._loose: dict[bytes, float] = {}
        """When blobs were stored by themselves, whose reference may still be on its way to a commit."""
        await self.rpc("content.register-backing", {"name": self.name})

    async def stop(self) -> None:
        if not self.opened:
            return
        with suppress(OSError):
            await self.rpc("content.unregister-backing")
        if self._writer is not None:
            await self._writer
        await self.shelf.close()

    # -- blobs ------------------------------------------------------------------------------------------------------

    @request("content-backing.load", raw=True)
    async def load(self, call: Call, *, payload: bytes) -> bytes | None:
        """Gives the blob of a digest."""
        return await self.shelf.load(self.hash.name_digest(payload)) or None

    @request("content-backing.store", raw=True)
    async def store(self, call: Call, *, payload: bytes) -> bytes:
        """Keeps a blob; gives its digest."""
        key = self.hash.digest(payload)
        self._loose[key] = self.host.now()
        await self._put(key, payload)
        return key

    @request("content-backing.validate", raw=True)
    async def validate(self, call: Call, *, payload: bytes) -> None:
        """Says whether there is a blob of that digest, and whether it is whole."""
        ref = self.hash.name_digest(payload)
        if self.hash.digest(await self.shelf.load(ref)) != payload:
            raise OSError(EIO, f"blob {ref} is damaged: it is another one")

    async def _put(self, key: bytes, blob: bytes) -> None:
        if self.collection is not None and self.collection.note(key):
            async with self._removing:
                pass  # it is gone
        await self.shelf.store(self.hash.name_digest(key), blob)

    async def _put_all(self, blobs: Blobs) -> Mapping[bytes, OSError]:
        failed = {}

        async def put(key: bytes, blob: bytes) -> None:
            try:
                await self._put(key, blob)
            except OSError as error:
                failed[key] = error

        await gather(*(put(key, blob) for key, blob in blobs.items()))
        return failed

    # -- roots ------------------------------------------------------------------------------------------------------

    async def _read_roots(self) -> LiveRoots:
        try:
            found = record.decode(await self.shelf.load(record.NAME))
        except FileNotFoundError:
            return LiveRoots()
        except ValueError as error:
            raise OSError(EIO, f"{self.shelf.path}/{record.NAME}: {error}") from None
        for ref in found.refs():
            await self._check_root(ref)
        return found

    async def _check_root(self, ref: str) -> None:
        kind = ref.partition("-")[0]
        if kind != self.hash.name:
            raise OSError(EINVAL, f"{self.shelf.path}: has {kind} blobs, content.hash is {self.hash.name}")
        try:
            blob = await self.shelf.load(ref)
        except FileNotFoundError:
            raise OSError(EIO, f"{self.shelf.path}: is damaged: there is no blob {ref}, which is a root") from None
        if self.hash.blobref(blob) != ref:
            raise OSError(EIO, f"{self.shelf.path}: is damaged: root {ref} is another blob")

    @request("content-backing.commit")
    async def commit(self, call: Call, *, blobs: dict[str, bytes], root: dict[str, Any]) -> None:
        """Keeps blobs, by blobref, and the root that they make, all or nothing."""
        checked(root)
        await self._change(lambda roots: roots.move(root), {digest(ref): blob for ref, blob in blobs.items()})

    @request("content-backing.roots")
    def live_roots(self, call: Call) -> dict[str, Any]:
        """Gives the live root of every namespace, that of the primary one first."""
        return {"roots": self.commits.roots.roots()}

    @request("content-backing.root-remove")
    async def root_remove(self, call: Call, *, namespace: str) -> None:
        """Forgets the root of a namespace. ENOENT if it has none."""
        await self._change(lambda roots: roots.remove(namespace))

    @request("content-backing.checkpoint-get")
    def checkpoint_get(self, call: Call) -> dict[str, Any]:
        """Gives the live root of the primary namespace and the checkpoints before it, the latest first."""
        return {"value": self.commits.roots.history()}

    @request("content-backing.checkpoint-put")
    async def checkpoint_put(self, call: Call, *, value: dict[str, Any]) -> None:
        """Remembers a root, and makes it that of the primary namespace. What came before is on the disk then."""
        checked(value)
        await self.shelf.sync()
        await self._change(lambda roots: roots.remember(value))
        await self.shelf.sync()

    async def _change(self, make: Callable[[LiveRoots], object], blobs: Blobs = NOTHING) -> None:
        """Changes the roots; returns when that is on the shelf, with these blobs."""
        done = get_running_loop().create_future()

        def told(error: OSError | None) -> None:
            if not done.done():  # who waits may have left
                done.set_result(error)

        self.commits.add(Change(blobs, make, told))
        if self._writer is None or self._writer.done():
            self._writer = get_running_loop().create_task(self.commits.write())
        error = await done
        if error is not None:
            raise error

    # -- garbage ----------------------------------------------------------------------------------------------------

    @every(AGE)
    def age(self) -> None:
        """Who wanted to commit what was stored has done so."""
        old = self.host.now() - AGE
        self._loose = {key: when for key, when in self._loose.items() if when > old}

    @request("content-backing.gc", stream=True)
    async def gc(self, call: Call) -> AsyncIterator[dict[str, Any]]:
        """Removes what no live root and no checkpoint leads to: figures now and then, the last ones with phase done.

        EBUSY if that is under way. Ends where it is when the caller leaves.
        """
        if self.collection is not None:
            raise OSError(EBUSY, "a garbage collection is under way")
        self.age()
        fresh = set(self._loose) | self.commits.keys()
        ways = Ways(self._load_all, self._remove_all, self.shelf.names)
        collection = self.collection = Collection(ways, self.hash, lambda: self.commits.roots.refs(), fresh)
        try:
            async for figures in collection.run():
                yield figures
        finally:
            self.collection = None

    async def _load_all(self, names: list[str]) -> list[bytes]:
        return await gather(*map(self.shelf.load, names))

    async def _remove_all(self, names: list[str]) -> None:
        async with self._removing:
            await gather(*map(self.shelf.remove, names))

    @request(allow=USER)
    async def stats_get(self, call: Call) -> dict[str, Any]:  # type: ignore[override] # answers as any method may
        """Counts blobs and bytes."""
        found = await self.shelf.names()
        found.pop(record.NAME, None)
        figures = {"object_count": len(found), "size": sum(found.values()), "path": self.shelf.path}
        return super().stats_get(call) | figures
