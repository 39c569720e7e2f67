"""content-sqlite: the backing store that comes with Flux. With a state directory it outlives the session."""

from asyncio import get_running_loop
from collections.abc import Callable
from contextlib import suppress
from errno import EBUSY, EINVAL, EIO, ENOENT
from typing import Any

from flux.base.blobref import BlobHash, digest
from flux.base.liveroots import PRIMARY, checked, namespace_of
from flux.modules.content_sqlite import schema
from flux.modules.content_sqlite.behind import Behind
from flux.modules.content_sqlite.change import Change, Step
from flux.modules.content_sqlite.gc import AGE, ENOUGH, Collector
from flux.modules.content_sqlite.manual import Manual, Sweep
from flux.modules.content_sqlite.store import Store
from flux.service import LATER, Call, Later, Service, every, request
from flux.service.kit import LOG_ERR, LOG_INFO
from flux.service.ports import Database, Told
from flux.service.settings import setting, size_setting
from flux.wire.message import USER, Data

WAITING = 64 << 20
"""Bytes that may wait for the disk without a state directory, unless content.dirty-limit says otherwise."""
OFTEN = 0.25
"""Seconds between two reports of a garbage collection."""

Done = Callable[[OSError | None], None]


class ContentSqlite(Service):
    """Keeps blobs and roots in <statedir>/content.sqlite."""

    name = "content-sqlite"
    aliases = ("content-backing",)
    opened = False

    async def start(self) -> None:
        if self.host.rank != 0:
            raise OSError(EINVAL, "a content backing store can only be loaded on rank 0")
        attributes = self.host.attributes
        self.hash = BlobHash(setting(attributes, "content.hash", "sha1"))
        self.store = Store(self.hash)
        durable = setting(attributes, "statedir-cleanup", "1") == "0"
        self.database = await self._open(f"{attributes.get('statedir')}/content.sqlite", durable)
        self.opened = True
        self.roots = self.store.roots
        self.manual = Manual(self.store)
        enough = size_setting(attributes, "content.gc-threshold", ENOUGH)
        self.collector = Collector(self.store, enough, await self.database.do(schema.size))
        limit = size_setting(attributes, "content.dirty-limit", WAITING)
        self.behind = None if durable else Behind(self._save, self.host.after, limit)
        await self.rpc("content.register-backing", {"name": self.name})

    async def _open(self, path: str, durable: bool) -> Database:
        opening = self.host.port("database")
        try:
            found: Database = await opening(path, self.store.open, durable=durable)
        except OSError as error:
            text = error.strerror or ""
            raise OSError(error.errno, text if text.startswith(path) else f"{path}: {text}") from None
        return found

    async def stop(self) -> None:
        if not self.opened:
            return
        with suppress(OSError):
            await self.rpc("content.unregister-backing")
        if self.behind is not None:
            flushed = get_running_loop().create_future()
            self.behind.flush(lambda result, error: flushed.set_result(error))
            await flushed
        await self.database.close()

    # -- blobs ------------------------------------------------------------------------------------------------------

    @request("content-backing.load", raw=True)
    def load(self, call: Call, *, payload: bytes) -> bytes | Later | None:
        """Gives the blob of a digest."""
        blob = self.behind.find(payload) if self.behind is not None else None
        if blob is not None:
            return blob or None

        def told(found: bytes | None, error: OSError | None) -> None:
            _answer(call, error, found or None)

        self.database.read(lambda connection: self.store.load(connection, payload), told)
        return LATER

    @request("content-backing.store", raw=True)
    def put(self, call: Call, *, payload: bytes) -> Later:
        """Keeps a blob; gives its digest."""
        key = self.hash.digest(payload)
        self._write(Change({key: payload}), lambda result, error: _answer(call, error, key))
        return LATER

    @request("content-backing.validate", raw=True)
    def validate(self, call: Call, *, payload: bytes) -> Later | None:
        """Says whether there is a blob of that digest, and whether it is whole."""
        if self.behind is not None and self.behind.find(payload) is not None:
            return None

        def told(result: None, error: OSError | None) -> None:
            _answer(call, error)

        self.database.read(lambda connection: self.store.check(connection, payload), told)
        return LATER

    # -- roots ------------------------------------------------------------------------------------------------------

    @request("content-backing.commit")
    def commit(self, call: Call, *, blobs: dict[str, bytes], root: dict[str, Any]) -> Later:
        """Keeps blobs, by blobref, and the root that they make, all or nothing."""
        name = namespace_of(checked(root))
        steps = {f"root {name}": lambda connection: self.store.move(connection, root)}
        self._write(
            Change({digest(ref): blob for ref, blob in blobs.items()}, steps),
            lambda result, error: self._changed(call, error, lambda: self.roots.move(root)),
        )
        return LATER

    @request("content-backing.roots")
    def live_roots(self, call: Call) -> dict[str, Any]:
        """Gives the live root of every namespace, that of the primary one first."""
        return {"roots": self.roots.roots()}

    @request("content-backing.root-remove")
    def root_remove(self, call: Call, *, namespace: str) -> Later:
        """Forgets the root of a namespace. ENOENT if it has none."""
        if namespace not in self.roots.live:
            raise OSError(ENOENT, f"no root of a namespace {namespace:.40}")
        self._write(
            Change(steps={f"root {namespace}": lambda connection: self.store.remove(connection, namespace)}),
            lambda result, error: self._changed(call, error, lambda: self.roots.live.pop(namespace, None)),
        )
        return LATER

    @request("content-backing.checkpoint-get")
    def checkpoint_get(self, call: Call) -> dict[str, Any]:
        """Gives the live root of the primary namespace and the checkpoints before it, the latest first."""
        return {"value": self.roots.history()}

    @request("content-backing.checkpoint-put")
    async def checkpoint_put(self, call: Call, *, value: dict[str, Any]) -> None:
        """Remembers a root, and makes it that of the primary namespace. What came before is on the disk then."""
        checked(value)
        await self._written(
            {
                f"checkpoint {value}": lambda connection: self.store.remember(connection, value),
                f"root {PRIMARY}": lambda connection: self.store.move(connection, value | {"namespace": PRIMARY}),
            }
        )
        self.roots.remember(value)
        await self.database.sync()

    def _changed(self, call: Call, error: OSError | None, change: Callable[[], object]) -> None:
        """The roots in memory are those in the database, or about to be there."""
        if error is None:
            change()
        _answer(call, error)

    async def _written(self, steps: dict[str, Step]) -> None:
        written = get_running_loop().create_future()

        def told(result: None, error: OSError | None) -> None:
            if not written.done():
                written.set_result(error)

        self._write(Change(steps=steps), told)
        error = await written
        if error is not None:
            raise error

    # -- garbage ----------------------------------------------------------------------------------------------------

    @every(AGE)
    def age(self) -> None:
        """Who wanted to commit what was stored, or was reading what was alive, has done so."""
        self.collector.age(self.roots.refs())
        self.database.read(lambda connection: self.store.age(), _nobody)

    @request("content-backing.gc", stream=True)
    def gc(self, call: Call) -> Later:
        """Removes what no live root and no checkpoint leads to: figures now and then, the last ones with phase done.

        {phase: mark, sweep, shrink or done, marked, swept: blobs, bytes: of those, before, size: of the file, ...}.
        EBUSY if that is under way. Ends where it is when the caller leaves.
        """
        if self.collector.busy:
            raise OSError(EBUSY, "a garbage collection is under way")
        shown = [self.host.now()]

        def each(found: dict[str, Any]) -> None:
            if found["phase"] == "done" or self.host.now() >= shown[0] + OFTEN:
                shown[0] = self.host.now()
                call.respond(found)

        def done(error: OSError | None) -> None:
            if error is None:
                call.end()
            else:
                _answer(call, error)

        def stop() -> None:
            self.database.stop_slices()
            self.collector.ended(0)

        call.on_close = stop
        self._collect(False, each, done)
        return LATER

    def _collect(self, patient: bool, each: Callable[[dict[str, Any]], None], done: Done) -> None:
        last: dict[str, Any] = {}

        def found(figures: dict[str, Any]) -> None:
            last.update(figures)
            each(figures)

        def ended(error: OSError | None) -> None:
            self.collector.ended(last.get("size", 0))
            done(error)

        if self.behind is not None:
            self.behind.flush(_nobody)
        self.database.slices(self.collector.begin(patient=patient), found, ended)

    def _collect_alone(self) -> None:
        """Nobody has asked for it, but garbage is likely to be most of what there is."""
        last: dict[str, Any] = {}

        def done(error: OSError | None) -> None:
            if error is not None:
                self.log(LOG_ERR, f"garbage collection: {error.strerror}")
            else:
                self.log(LOG_INFO, f"garbage collection: {last['swept']} blobs removed, {last['marked']} stay")

        self._collect(True, last.update, done)

    @request("content-backing.gc-info")
    async def gc_info(self, call: Call, *, epoch: int = 0, get_count: bool = False) -> dict[str, int]:
        """Begins a collection that the caller makes by mark and sweep; gives its epoch and the last blob's number."""
        if self.collector.busy:
            raise OSError(EBUSY, "a garbage collection is under way")
        return await self.database.do(lambda connection: self.manual.begin(connection, get_count))

    @request("content-backing.mark")
    async def mark(self, call: Call, *, epoch: int, hashes: list[str]) -> dict[str, int]:
        """Marks blobs, by hexadecimal digests or blobrefs, that are to stay in the collection of that epoch."""
        return await self.database.do(lambda connection: self.manual.mark(connection, epoch, hashes))

    @request("content-backing.sweep")
    async def sweep(
        self, call: Call, *, epoch: int, cursor: int, high_water: int, delete_cap: int, window: int
    ) -> dict[str, int]:
        """Removes what was not marked in the collection of that epoch, from a cursor on; gives the next cursor."""
        asked = Sweep(epoch, cursor, high_water, delete_cap, window)
        return await self.database.do(lambda connection: self.manual.sweep(connection, asked))

    # -- writing ----------------------------------------------------------------------------------------------------

    def _write(self, change: Change, told: Told[None]) -> None:
        if self.behind is None:
            self._save(change, told)
        else:
            self.behind.put(change, told)

        if self.collector.wrote(change.size):
            self._collect_alone()

    def _save(self, change: Change, told: Told[None]) -> None:
        self.database.write(lambda connection: change.apply(self.store, connection), told)

    # -- figures ----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    async def stats_get(self, call: Call) -> dict[str, Any]:  # type: ignore[override] # answers as any method may
        """Counts blobs and bytes."""
        found = await self.database.do(self.store.figures)
        return super().stats_get(call) | found | self.database.figures() | {"path": self.database.path}


def _nobody(result: None, error: OSError | None) -> None:
    pass


def _answer(call: Call, error: OSError | None, data: Data = None) -> None:
    if error is None:
        call.respond(data)
    else:
        call.refuse(error.errno or EIO, error.strerror or str(error))
