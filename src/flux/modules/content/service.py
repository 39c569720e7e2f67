"""content: this broker's cache of blobs. What it lacks it asks its parent for, or, on rank 0, the backing store."""

from collections.abc import Callable
from errno import EBUSY, EFBIG, EHOSTUNREACH, EINVAL, EIO, ENOENT, ENOSPC, ENOSYS, EPROTO
from functools import partial
from typing import Any

from flux.base.blobref import BlobHash, digest
from flux.base.duration import parse_fsd
from flux.modules.content.cache import Cache
from flux.modules.content.mapped import Mapped, Where
from flux.service import LATER, Call, Later, Service, event, request
from flux.service.kit import LOG_ERR
from flux.service.settings import setting, size_setting
from flux.wire.message import USER, Data, Event, Response

AGE = 60.0
"""Seconds after which a clean blob goes that nobody has asked for, unless content.purge-old-entry says otherwise."""
MOST_LOST = 5
"""Parents that may be lost while one blob is asked for."""
CACHE = 16 << 20
"""Bytes of clean blobs that are kept, unless content.cache-limit says otherwise."""
DIRTY = 1 << 30
"""Bytes of dirty blobs that rank 0 keeps without a backing store, unless content.dirty-limit says otherwise."""
BLOB = 1 << 30
"""Bytes of the largest blob, unless content.blob-size-limit says otherwise."""

SETTLED = 0.1
"""Seconds after which a backing store that has registered takes blobs."""


class Content(Service):
    """Loads and stores blobs for everybody on this broker and below. Asks for one blob once, whoever wants it."""

    name = "content"

    async def start(self) -> None:
        attributes = self.host.attributes
        self.hash = BlobHash(setting(attributes, "content.hash", "sha1"))
        attributes.fix("content.hash", self.hash.name)
        self.cache = Cache(size_setting(attributes, "content.cache-limit", CACHE))
        self.blob_limit = size_setting(attributes, "content.blob-size-limit", BLOB)
        self.dirty_limit = size_setting(attributes, "content.dirty-limit", DIRTY)
        self.root = self.host.rank == 0
        self.backing = ""
        self.age = _seconds(setting(attributes, "content.purge-old-entry", ""))
        self.mapped = Mapped()
        self._loading: dict[bytes, list[Call]] = {}
        self._storing: dict[bytes, list[Call]] = {}
        self._flushing: list[Call] = []

    @event("heartbeat.pulse")
    def beat(self, event: Event) -> None:
        """Lets blobs go that nobody has asked for for a while."""
        self.cache.expire(self.host.now(), self.age)

    @property
    def last(self) -> bool:
        """Whether there is nobody behind this cache."""
        return self.root and not self.backing

    # -- load -------------------------------------------------------------------------------------------------------

    @request(raw=True)
    def load(self, call: Call, *, payload: bytes) -> bytes | Later | None:
        """Gives the blob of a digest. ENOENT if nobody has it."""
        if len(payload) != self.hash.size:
            raise OSError(EPROTO, f"not a {self.hash.name} digest")
        blob = self.cache.find(payload)
        if blob is not None:
            return blob or None
        where = self.mapped.find(payload)
        if where is not None:
            self.run(self._load_piece(call, payload, where), call=call)
            return LATER
        if self.last:
            raise OSError(ENOENT, f"no blob {payload.hex()}")
        waiting = self._loading.setdefault(payload, [])
        waiting.append(call)
        if len(waiting) == 1:
            self._above("load", payload, partial(self._loaded, payload))
        return LATER

    def _loaded(self, key: bytes, response: Response, lost: int = 0) -> None:
        if self._ask_again(response, lost):
            self._above("load", key, partial(self._loaded, key, lost=lost + 1))
            return
        blob = response.payload() or b""
        errnum, text = response.errnum, response.text()
        if not errnum and self.hash.digest(blob) != key:
            errnum, text = EIO, f"what came for blob {key.hex()} is another one"
        if not errnum:
            self.cache.put(key, blob)
        self._answer_loads(key, blob, errnum, text)

    def _answer_loads(self, key: bytes, blob: bytes, errnum: int, text: str) -> None:
        for call in self._loading.pop(key, ()):
            if errnum:
                call.refuse(ENOENT if errnum == ENOSYS and self.root else errnum, text)
            else:
                call.respond(blob or None)

    # -- files as blobs ---------------------------------------------------------------------------------------------

    @request()
    async def mmap_add(self, call: Call, *, path: str, chunksize: int, tag: str) -> None:
        """Makes blobs of a file, `chunksize` bytes each (0: of all of it), which are read when they are asked for."""
        if not self.root:
            raise OSError(EINVAL, "content may only be mmapped on rank 0")
        if not path.startswith("/"):
            raise OSError(EINVAL, "path must be fully qualified")
        size = min(chunksize, self.blob_limit) if chunksize > 0 else self.blob_limit
        self.mapped.add(tag, path, await self.host.port("filemap").hash_pieces(path, size, self.hash.digest))

    @request()
    def mmap_remove(self, call: Call, *, tag: str) -> None:
        """Forgets the files of a tag."""
        if not self.root:
            raise OSError(EINVAL, "content can only be mmapped on rank 0")
        self.mapped.remove(tag)

    async def _load_piece(self, call: Call, key: bytes, where: Where) -> None:
        """Nothing keeps others from changing a file: what is not the blob any more is not given for it."""
        blob = await self.host.port("filemap").read_piece(*where)
        if self.hash.digest(blob) != key:
            raise OSError(EIO, f"{where.path}: has changed since it was mapped")
        call.respond(blob)

    # -- store ------------------------------------------------------------------------------------------------------

    @request(raw=True)
    def store(self, call: Call, *, payload: bytes) -> bytes | Later:
        """Keeps a blob; gives its digest once it can be loaded from any rank. EFBIG if it is too large.

        What is here already is stored again: by then it may be garbage to the backing store, and about to be gone.
        """
        self._check_size(payload)
        key = self.hash.digest(payload)
        if self.last:
            self._keep({key: payload})
            return key
        self.cache.soil(key, payload)
        self._answer_loads(key, payload, 0, "")
        self._push(key, payload, call)
        return LATER

    def _check_size(self, blob: bytes) -> None:
        if len(blob) > self.blob_limit:
            raise OSError(EFBIG, f"blob of {len(blob)} bytes is over content.blob-size-limit, {self.blob_limit}")

    def _keep(self, blobs: dict[bytes, bytes]) -> None:
        """Keeps blobs that nobody else will: on rank 0, without a backing store."""
        fresh = {key: blob for key, blob in blobs.items() if not self.cache.is_dirty(key)}
        grown = self.cache.dirty_size + sum(map(len, fresh.values()))
        if fresh and grown > self.dirty_limit:
            raise OSError(ENOSPC, f"content cache is full ({self.dirty_limit} bytes), and there is no backing store")
        for key, blob in fresh.items():
            self.cache.soil(key, blob)

    def _push(self, key: bytes, blob: bytes, call: Call | None) -> None:
        """Hands a dirty blob on; several who store the same wait for one answer."""
        storing = key in self._storing
        waiting = self._storing.setdefault(key, [])
        if call is not None:
            waiting.append(call)
        if not storing:
            self._above("store", blob, partial(self._stored, key))

    def _ask_again(self, response: Response, lost: int) -> bool:
        """Whether a parent is gone that was asked: the next one is asked, once there is one, but not for ever."""
        return response.errnum == EHOSTUNREACH and not self.root and lost < MOST_LOST

    def _stored(self, key: bytes, response: Response, lost: int = 0) -> None:
        dirty = self.cache.find(key)
        if dirty is not None and self._ask_again(response, lost):
            self._above("store", dirty, partial(self._stored, key, lost=lost + 1))
            return
        waiting = self._storing.pop(key)
        if response.errnum:
            if waiting:
                # Who stored it hears that it is not kept. What was dirty before there was a backing store stays.
                self.cache.forget(key)
            for call in waiting + self._flushing:
                call.refuse(response.errnum, response.text())
            self._flushing.clear()
            return
        self.cache.clean(key)
        for call in waiting:
            call.respond(key)
        if not self._storing:
            self._answer_flushes()

    # -- a commit of the key-value store ----------------------------------------------------------------------------

    @request()
    def commit(self, call: Call, *, blobs: dict[str, bytes], root: dict[str, Any]) -> Later | None:
        """Keeps blobs, by blobref, together with the root that they make. Rank 0 only."""
        self._only_root("commit")
        for blob in blobs.values():
            self._check_size(blob)
        keyed = {digest(ref): blob for ref, blob in blobs.items()}
        if self.last:
            self._keep(keyed)
            return None
        self._above("commit", {"blobs": blobs, "root": root}, partial(self._committed, call, keyed, root))
        return LATER

    def _committed(self, call: Call, blobs: dict[bytes, bytes], root: dict[str, Any], response: Response) -> None:
        if response.errnum == ENOSYS and self.backing:
            # A backing store that knows only today's topics.
            self.run(self._store_each(call, blobs, root), call=call)
            return
        if response.errnum:
            call.refuse(response.errnum, response.text())
            return
        for key, blob in blobs.items():
            self.cache.put(key, blob)
        call.respond()

    async def _store_each(self, call: Call, blobs: dict[bytes, bytes], root: dict[str, Any]) -> None:
        for key, blob in blobs.items():
            await self._ask_above("store", blob)
            self.cache.put(key, blob)
        await self._ask_above("checkpoint-put", {"value": root})
        call.respond()

    # -- flush, drop ------------------------------------------------------------------------------------------------

    @request()
    def flush(self, call: Call) -> Later | None:
        """Answers when no blob is dirty."""
        if self.last:
            raise OSError(ENOSYS, "there is no backing store to flush to")
        if not self.cache.dirty_count:
            return None
        self._flushing.append(call)
        self._push_all()
        return LATER

    def _answer_flushes(self) -> None:
        flushing, self._flushing = self._flushing, []
        for call in flushing:
            call.respond()

    @request()
    def dropcache(self, call: Call) -> None:
        """Lets all blobs go that can be had again."""
        self.cache.drop()

    # -- the backing store ------------------------------------------------------------------------------------------

    @request()
    def register_backing(self, call: Call, *, name: str) -> None:
        """A backing store is there."""
        if not self.root:
            raise OSError(EINVAL, "content backing store can only be registered on rank 0")
        if self.backing:
            raise OSError(EBUSY, f"content backing store {self.backing} is already active")
        self.backing = name
        self.host.attributes.set("content.backing-module", name, force=True)
        # It registers while it is being loaded: requests reach it a little later.
        self.host.after(SETTLED, self._push_all)

    def _push_all(self) -> None:
        if not self.last:
            for key, blob in self.cache.dirty().items():
                self._push(key, blob, None)

    @request()
    def unregister_backing(self, call: Call) -> None:
        """The backing store goes."""
        if not self.backing:
            raise OSError(EINVAL, "content backing store is not active")
        self.backing = ""
        if self.cache.dirty_count:
            self.log(LOG_ERR, f"{self.cache.dirty_count} blobs are not in the backing store")
        flushing, self._flushing = self._flushing, []
        for waiting in flushing:
            waiting.refuse(ENOSYS, "the backing store was unloaded")

    @request()
    async def checkpoint_get(self, call: Call) -> dict[str, Any]:
        """Gives the roots that the backing store remembers, the latest first."""
        return (await self._ask_above("checkpoint-get", None)).body()

    @request()
    async def checkpoint_put(self, call: Call, *, value: dict[str, Any]) -> None:
        """Lets the backing store remember a root, once all blobs are there."""
        if self.cache.dirty_count:
            await self.rpc("content.flush")
        await self._ask_above("checkpoint-put", {"value": value})

    @request()
    async def roots(self, call: Call) -> dict[str, Any]:
        """Gives the live root of every namespace, that of the primary one first. Rank 0 only."""
        self._only_root("roots")
        return (await self._ask_above("roots", None)).body()

    @request()
    async def root_remove(self, call: Call, *, namespace: str) -> None:
        """Lets the backing store forget the root of a namespace. Rank 0 only."""
        self._only_root("root-remove")
        await self._ask_above("root-remove", {"namespace": namespace})

    def _only_root(self, method: str) -> None:
        if not self.root:
            raise OSError(EINVAL, f"content.{method} is for rank 0")

    async def _ask_above(self, method: str, data: Data) -> Response:
        if self.last:
            raise OSError(ENOSYS, f"{method} unavailable, no backing store")
        topic = f"content-backing.{method}" if self.root else f"content.{method}"
        return await self.ask(topic, data, upstream=not self.root)

    def _above(self, method: str, data: Data, told: Callable[[Response], None]) -> None:
        """Asks the next cache on the way to rank 0, or there the backing store."""
        topic = f"content-backing.{method}" if self.root else f"content.{method}"
        self.send_request(topic, data, told, upstream=not self.root)

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Counts blobs and bytes."""
        return {
            "count": len(self.cache) + len(self._loading),
            "valid": len(self.cache),
            "dirty": self.cache.dirty_count,
            "size": self.cache.size,
            "flush-batch-count": len(self._storing),
            "mmap": self.mapped.stats() if self.root else None,
        }


def _seconds(text: str) -> float:
    try:
        return parse_fsd(text) if text else AGE
    except ValueError:
        raise OSError(EINVAL, f"content.purge-old-entry: '{text}' is not a duration") from None
