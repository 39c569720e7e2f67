"""content-files: the backing store in which each blob is a file, in <statedir>/content.files."""

from collections.abc import Callable
from contextlib import suppress
from errno import EINVAL, EIO, ENOENT
from typing import Any

from flux.base.blobref import BlobHash
from flux.base.liveroots import LiveRoots, checked
from flux.modules.content_files.names import ROOTS, place, read, written
from flux.service import Call, Service, request
from flux.service.settings import setting
from flux.wire.message import USER


class ContentFiles(Service):
    """Writes each blob once, under its blobref, and the roots after the blobs that they lead to."""

    name = "content-files"
    aliases = ("content-backing",)

    async def start(self) -> None:
        if self.host.rank != 0:
            raise OSError(EINVAL, "a content backing store can only be loaded on rank 0")
        attributes = self.host.attributes
        self.hash = BlobHash(setting(attributes, "content.hash", "sha1"))
        self.shelf = self.host.port("shelf")(f"{attributes.get('statedir')}/content.files")
        self.roots = LiveRoots()
        self.stored = 0
        await self.shelf.open()
        try:
            self.roots = read(await self.shelf.do(lambda: self.shelf.read(ROOTS)))
        except FileNotFoundError:
            pass  # it is new
        except ValueError as error:
            raise OSError(EINVAL, f"{self.shelf.path}: {error}") from None
        await self.rpc("content.register-backing", {"name": self.name})

    async def stop(self) -> None:
        with suppress(OSError):
            await self.rpc("content.unregister-backing")
        await self.shelf.close()

    @request("content-backing.load", raw=True)
    async def load(self, call: Call, *, payload: bytes) -> bytes | None:
        """Gives the blob of a digest. ENOENT if there is none, EIO if its file is damaged."""
        ref = self.hash.name_digest(payload)
        try:
            blob: bytes = await self.shelf.do(lambda: self.shelf.read(place(ref)))
        except FileNotFoundError:
            raise OSError(ENOENT, f"no blob {payload.hex()}") from None
        if self.hash.digest(blob) != payload:
            raise OSError(EIO, f"{self.shelf.path}/{place(ref)} is damaged")
        return blob or None

    @request("content-backing.store", raw=True)
    async def store(self, call: Call, *, payload: bytes) -> bytes:
        """Keeps a blob; gives its digest."""
        ref = self.hash.blobref(payload)
        await self.shelf.do(lambda: self._keep({ref: payload}))
        return self.hash.digest(payload)

    @request("content-backing.validate", raw=True)
    async def validate(self, call: Call, *, payload: bytes) -> None:
        """Says whether there is a whole blob of that digest."""
        await self.load(call, payload=payload)

    @request("content-backing.commit")
    async def commit(self, call: Call, *, blobs: dict[str, bytes], root: dict[str, Any]) -> None:
        """Keeps blobs, by blobref, and then the root that they make: what is half done leads nowhere."""
        checked(root)
        await self._change(lambda roots: roots.move(root), blobs)

    @request("content-backing.roots")
    def live_roots(self, call: Call) -> dict[str, Any]:
        """Gives the live root of every namespace, that of the primary one first."""
        return {"roots": self.roots.roots()}

    @request("content-backing.root-remove")
    async def root_remove(self, call: Call, *, namespace: str) -> None:
        """Forgets the root of a namespace. ENOENT if it has none."""
        await self._change(lambda roots: roots.remove(namespace))

    @request("content-backing.checkpoint-get")
    def checkpoint_get(self, call: Call) -> dict[str, Any]:
        """Gives the live root of the primary namespace and the checkpoints before it, the latest first."""
        return {"value": self.roots.history()}

    @request("content-backing.checkpoint-put")
    async def checkpoint_put(self, call: Call, *, value: dict[str, Any]) -> None:
        """Remembers a root, and makes it that of the primary namespace."""
        checked(value)
        await self._change(lambda roots: roots.remember(value))

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Counts the blobs that were stored."""
        return super().stats_get(call) | {"stored": self.stored, "path": self.shelf.path}

    # -- inside -----------------------------------------------------------------------------------------------------

    async def _change(self, do: Callable[[LiveRoots], None], blobs: dict[str, bytes] | None = None) -> None:
        """Writes blobs and the roots as they are then; what cannot be written has not happened."""

        def work() -> LiveRoots:
            roots = LiveRoots(self.roots.live.values(), self.roots.checkpoints)
            do(roots)
            self._keep(blobs or {})
            self.shelf.write(ROOTS, written(roots))
            self.roots = roots
            return roots

        await self.shelf.do(work)

    def _keep(self, blobs: dict[str, bytes]) -> None:
        for ref, blob in blobs.items():
            self.shelf.write(place(ref), blob, again=False)
        self.stored += len(blobs)
