"""content-memory: the backing store of an instance that leaves nothing behind. Rank 0 only."""

from collections.abc import Iterator
from contextlib import suppress
from errno import EINVAL, ENOENT
from typing import Any

from msgspec.json import decode

from flux.base import treeobj
from flux.base.blobref import BlobHash, digest
from flux.base.liveroots import LiveRoots, checked
from flux.modules.content_memory.blobs import Blobs
from flux.service import Call, Service, request
from flux.service.settings import setting, size_setting
from flux.wire.message import USER

LIMIT = 1 << 30
EMPTY = treeobj.encode(treeobj.directory())
"""What a store begins with, before there is any commit: it is always in use."""
AGE = 300.0
"""Seconds that a blob has in which to be committed, if garbage is collected."""


class ContentMemory(Service):
    """Keeps blobs in memory, as many as fit into the attribute `content.memory-limit`."""

    name = "content-memory"
    aliases = ("content-backing",)

    async def start(self) -> None:
        if self.host.rank != 0:
            raise OSError(EINVAL, "a content backing store can only be loaded on rank 0")
        attributes = self.host.attributes
        self.hash = BlobHash(setting(attributes, "content.hash", "sha1"))
        self.roots = LiveRoots()
        self._loose: dict[bytes, float] = {}
        """When blobs were stored by themselves, whose reference may still be on its way to a commit."""
        self.blobs = Blobs(size_setting(attributes, "content.memory-limit", LIMIT))
        await self.rpc("content.register-backing", {"name": self.name})

    async def stop(self) -> None:
        with suppress(OSError):
            await self.rpc("content.unregister-backing")

    @request("content-backing.load", raw=True)
    def load(self, call: Call, *, payload: bytes) -> bytes | None:
        """Gives the blob of a digest."""
        return self.blobs.load(payload) or None

    @request("content-backing.store", raw=True)
    def store(self, call: Call, *, payload: bytes) -> bytes:
        """Keeps a blob; gives its digest."""
        key = self.hash.digest(payload)
        self.blobs.store({key: payload})
        self._loose[key] = self.host.now()
        return key

    @request("content-backing.validate", raw=True)
    def validate(self, call: Call, *, payload: bytes) -> None:
        """Says whether there is a blob of that digest."""
        if payload not in self.blobs:
            raise OSError(ENOENT, f"no blob {payload.hex()}")

    @request("content-backing.commit")
    def commit(self, call: Call, *, blobs: dict[str, bytes], root: dict[str, Any]) -> None:
        """Keeps blobs, by blobref, and the root that they make, all or nothing."""
        checked(root)
        self.blobs.store({digest(ref): blob for ref, blob in blobs.items()})
        self.roots.move(root)

    @request("content-backing.roots")
    def live_roots(self, call: Call) -> dict[str, Any]:
        """Gives the live root of every namespace, that of the primary one first."""
        return {"roots": self.roots.roots()}

    @request("content-backing.root-remove")
    def root_remove(self, call: Call, *, namespace: str) -> None:
        """Forgets the root of a namespace. ENOENT if it has none."""
        self.roots.remove(namespace)

    @request("content-backing.checkpoint-get")
    def checkpoint_get(self, call: Call) -> dict[str, Any]:
        """Gives the live root of the primary namespace and the checkpoints before it, the latest first."""
        return {"value": self.roots.history()}

    @request("content-backing.checkpoint-put")
    def checkpoint_put(self, call: Call, *, value: dict[str, Any]) -> None:
        """Remembers a root, and makes it that of the primary namespace."""
        self.roots.remember(checked(value))

    @request("content-backing.gc", stream=True)
    def gc(self, call: Call) -> Iterator[dict[str, Any]]:
        """Removes what no live root and no checkpoint leads to, at once: in memory there is little enough of it."""
        before, live = self.blobs.size, self._reachable()
        now = self.host.now()
        self._loose = {key: when for key, when in self._loose.items() if now < when + AGE}
        swept = self.blobs.sweep(lambda key: key in live or key in self._loose)
        figures = {"marked": len(live), "swept": swept, "bytes": before - self.blobs.size, "before": before}
        yield figures | {"phase": "done", "size": self.blobs.size, "free": 0, "cursor": 0, "horizon": 0}

    def _reachable(self) -> set[bytes]:
        found = {self.hash.digest(EMPTY)}
        todo = [(ref, True) for ref in self.roots.refs()]
        while todo:
            ref, is_directory = todo.pop()
            key = digest(ref)
            if key not in found:
                found.add(key)
                todo += treeobj.refs(decode(self.blobs.load(key))) if is_directory else ()
        return found

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Counts blobs and their bytes."""
        return super().stats_get(call) | {"count": len(self.blobs), "size": self.blobs.size, "limit": self.blobs.limit}
