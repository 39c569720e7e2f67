"""kvs: the key-value store of one broker. Rank 0 commits; the others pass commits on, and follow the root by event."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from errno import EINVAL, EIO, ENOENT, ENOSYS, ENOTSUP, EPERM, EPROTO
from functools import partial
from typing import Any, Protocol

from flux.base import blobref, treeobj
from flux.base.blobref import BlobHash
from flux.modules.kvs.batch import Batch
from flux.modules.kvs.commit import Made
from flux.modules.kvs.dirs import Dirs
from flux.modules.kvs.lookup import Lookup
from flux.modules.kvs.pages import Missing
from flux.modules.kvs.queue import Commit, Queue
from flux.modules.kvs.roots import PRIMARY, Root, Roots, UnknownRoot
from flux.modules.kvs.stats import Tally
from flux.modules.kvs.transaction import SYNC, Transaction, check_guest, read
from flux.service import LATER, Call, Later, Service, event, request
from flux.service.settings import setting, size_setting
from flux.wire.message import OWNER, USER, Event, Response

CACHE = 8 << 20
"""Bytes of directories, as JSON, that are kept parsed, unless kvs.cache-limit says otherwise."""

LOOKUP_PLUS = "kvs.lookup-plus"


class Asker(Protocol):
    """Who lacks blobs."""

    def take(self, ref: str, blob: bytes) -> None: ...
    def lose(self, ref: str, error: OSError) -> None: ...


class KVS(Service):
    """Answers lookups from this broker's own view, which is one snapshot after the other."""

    name = "kvs"

    async def start(self) -> None:
        attributes = self.host.attributes
        self.hash = BlobHash(setting(attributes, "content.hash", "sha1"))
        self.dirs = Dirs(size_setting(attributes, "kvs.cache-limit", CACHE))
        self.roots = Roots()
        self.queue = Queue()
        self.opcounts = Tally()
        self.faults = self.unchanged = 0
        self._names = 0
        self._busy = self._woken = False
        if self.host.rank == 0:
            self.roots.arrive(await self._first_root())

    async def _first_root(self) -> dict[str, Any]:
        """The root that the content store remembers, else an empty one."""
        told = {"namespace": PRIMARY, "rootseq": 0, "owner": os.getuid()}
        try:
            last = (await self.rpc("content.checkpoint-get"))["value"][0]
            return told | {"rootref": last["rootref"], "rootseq": last["sequence"]}
        except OSError as error:
            # No backing store, or one that is new. Any other failure must not look like an empty store.
            if error.errno not in (ENOSYS, ENOENT):
                raise
            empty = treeobj.encode(treeobj.directory())
            await self.ask("content.store", empty)
            return told | {"rootref": self.hash.blobref(empty)}

    async def stop(self) -> None:
        root = self.roots.find(PRIMARY)
        if self.host.rank == 0 and root is not None and not self._busy:
            # A commit on its way brings its own root. Without a backing store there is nobody to remember it.
            with suppress(OSError):
                await self.rpc("content.checkpoint-put", {"value": self._checkpoint(root.ref, root.seq)})

    def _checkpoint(self, ref: str, seq: int) -> dict[str, Any]:
        return {"version": 1, "rootref": ref, "sequence": seq, "timestamp": self.host.wall()}

    # -- roots ------------------------------------------------------------------------------------------------------

    def _with_root(self, call: Call, namespace: str, do: Callable[[Root], None]) -> Later:
        """Does something with the root of a namespace, now or when it is known."""
        root = self.roots.find(namespace)
        if root is None:
            self._wait_for_root(call, namespace, lambda: self._with_root(call, namespace, do))
        elif self._permits(call, root):
            do(root)
        else:
            call.refuse(EPERM)
        return LATER

    def _permits(self, call: Call, root: Root) -> bool:
        return bool(call.request.rolemask & OWNER) or call.request.userid == root.owner

    def _wait_for_root(self, call: Call, namespace: str, again: Callable[[], Any]) -> None:
        if self.host.rank == 0:
            call.refuse(ENOTSUP)
        elif self.roots.wait(namespace, lambda errnum: call.refuse(errnum) if errnum else again()):
            self._ask_root(namespace)

    def _ask_root(self, namespace: str) -> None:
        self.send_request("kvs.getroot", {"namespace": namespace}, partial(self._got_root, namespace), nodeid=0)

    def _got_root(self, namespace: str, response: Response) -> None:
        if response.errnum:
            self.roots.fail(namespace, response.errnum)
        else:
            self.roots.arrive(response.body())

    @event("kvs.namespace-primary-setroot")
    def setroot(self, event: Event) -> None:
        """Rank 0 has a new root."""
        if self.host.rank != 0 and event.rolemask & OWNER:
            self.roots.arrive(event.body())

    def events_lost(self) -> None:
        """Asks for the roots again; questions that come meanwhile wait for them."""
        if self.host.rank != 0:
            for namespace in self.roots.doubt():
                self._ask_root(namespace)

    @request(allow=USER)
    def getroot(self, call: Call, *, namespace: str) -> Later:
        """Gives the root of a namespace. ENOTSUP if there is no such namespace."""
        return self._with_root(call, namespace, lambda root: call.respond(root.described()))

    @request(allow=USER)
    def wait_version(self, call: Call, *, rootseq: int, namespace: str) -> Later:
        """Answers when the root has reached that sequence number."""

        def told(root: Root) -> None:
            call.respond(root.version())

        def wait(root: Root) -> None:
            if call.closed:  # the caller left while the root was asked for
                return
            call.on_close = lambda: root.forget(told)
            root.when(rootseq, told)

        return self._with_root(call, namespace, wait)

    @request()
    def namespace_list(self, call: Call) -> dict[str, Any]:
        """Lists the namespaces that this broker knows."""
        keys = ("namespace", "owner", "flags")
        return {"namespaces": [{key: root.described()[key] for key in keys} for root in self.roots]}

    # -- lookups ----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    def lookup(
        self, call: Call, *, key: str, flags: int, namespace: str | None = None, rootdir: Any = None, rootseq: int = -1
    ) -> Later:
        """Gives what is at a key, in a namespace as it is now, or below the directory that `rootdir` refers to."""
        lookup = Lookup(key, flags, self.dirs, partial(self._rootref, call))
        return self._look_in(call, lookup, namespace, rootdir, rootseq)

    @request(allow=USER)
    def lookup_plus(
        self, call: Call, *, key: str, flags: int, namespace: str | None = None, rootdir: Any = None, rootseq: int = -1
    ) -> Later:
        """As lookup, with the root that the answer is from; that there is nothing is an answer too."""
        lookup = Lookup(key, flags, self.dirs, partial(self._rootref, call))
        return self._look_in(call, lookup, namespace, rootdir, rootseq)

    def _look_in(self, call: Call, lookup: Lookup, namespace: str | None, rootdir: Any, rootseq: int) -> Later:
        if rootdir is not None:
            self._look(call, lookup.below(_dirref(rootdir), rootseq))
            return LATER
        if namespace is None:
            raise OSError(EPROTO, "either namespace or rootdir is needed")
        return self._with_root(call, namespace, lambda root: self._look(call, lookup.below(root.ref, root.seq)))

    def _look(self, call: Call, lookup: Lookup) -> None:
        """Answers a lookup, now or when what it lacks has come."""
        again = partial(self._look, call, lookup)
        plus = call.request.topic == LOOKUP_PLUS
        version = {"rootseq": lookup.seq, "rootref": lookup.root} if plus else {}
        try:
            call.respond({"val": lookup.answer(), **version})
        except Missing as missing:
            self.keep(call)
            self._fetch(missing.refs, lookup, again)
        except UnknownRoot as unknown:
            self.keep(call)
            self._wait_for_root(call, unknown.namespace, again)
        except OSError as error:
            if plus and error.errno == ENOENT:
                call.respond({"errno": ENOENT, **version})
            else:
                call.refuse(error.errno or EIO)

    def _rootref(self, call: Call, namespace: str) -> str:
        """The root that a link into another namespace leads to."""
        root = self.roots.find(namespace)
        if root is None:
            raise UnknownRoot(namespace)
        if not self._permits(call, root):
            raise OSError(EPERM, f"namespace {namespace} is somebody else's")
        return root.ref

    def _fetch(self, refs: Iterable[str], asker: Asker, again: Callable[[], None]) -> None:
        """Loads blobs for somebody who lacks them; calls `again` when all have come, or will not come."""
        open_refs = set(refs)
        self.faults += len(open_refs)

        def told(ref: str, response: Response) -> None:
            if response.errnum:
                asker.lose(ref, OSError(response.errnum, response.text()))
            else:
                asker.take(ref, response.payload() or b"")
            open_refs.discard(ref)
            if not open_refs:
                again()

        for ref in list(open_refs):
            self.send_request("content.load", blobref.digest(ref), partial(told, ref))

    # -- commits ----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    def commit(self, call: Call) -> Later:
        """Commits operations, all or none of them; gives the root that has them."""
        trusted = bool(call.request.rolemask & OWNER)
        if trusted and self.host.rank != 0:
            # What is only passed on need not be read.
            self._pass_on(call)
            return LATER
        transaction = read(call.request.data)
        if not trusted:
            check_guest(transaction)
        if transaction.flags & SYNC and transaction.namespace != PRIMARY:
            raise OSError(EINVAL, "only the primary namespace can be synchronized")
        go = self._pass_on if self.host.rank != 0 else partial(self._enqueue, transaction)
        return self._with_root(call, transaction.namespace, lambda root: go(call))

    def _pass_on(self, call: Call) -> None:
        """Lets rank 0 commit. Its answer comes after the event that moves the root here."""

        def told(response: Response) -> None:
            if response.errnum:
                call.refuse(response.errnum, response.text())
            else:
                call.respond(response.data)

        self.send_request("kvs.commit", call.request.data, told, nodeid=0)

    def _enqueue(self, transaction: Transaction, call: Call) -> None:
        self._names += 1
        self.opcounts.add(len(transaction.ops))
        self.queue.put(Commit(call, transaction, f"transaction_req.{self.host.rank}.{self._names}"))
        self._wake()

    def _wake(self) -> None:
        """Sees to the queue at the end of this turn of the loop, when all have come that come in it."""
        if not self._woken and not self._busy:
            self._woken = True
            self.host.after(0, self._turn)

    def _turn(self) -> None:
        self._woken = False
        commits = self.queue.take()
        root = self.roots.find(PRIMARY)
        if commits and root is not None:
            self._busy = True
            self._apply(Batch(commits, root, self.dirs, self.hash), root)

    def _apply(self, batch: Batch, root: Root) -> None:
        try:
            missing = batch.apply()
        except Exception:
            for commit in batch.commits:
                self.bug(commit.call)
            self._done()
            return
        if missing:
            self._fetch(missing, batch, partial(self._apply, batch, root))
            return
        for commit, error in batch.refused:
            commit.call.refuse(error.errno or EIO, error.strerror or "")
        made = batch.made
        if made is None or not batch.commits:
            self._done()
            return
        self.unchanged += not made.blobs
        data = {"blobs": made.blobs, "root": self._checkpoint(made.ref, root.seq + 1)}
        self.send_request("content.commit", data, partial(self._stored, batch, root, made))

    def _stored(self, batch: Batch, root: Root, made: Made, response: Response) -> None:
        """The blobs are safe: the root may move."""
        if response.errnum:
            self._failed(batch, response)
        elif batch.commits[0].transaction.flags & SYNC:
            data = {"value": self._checkpoint(made.ref, root.seq + 1)}
            self.send_request("content.checkpoint-put", data, partial(self._synced, batch, root, made))
        else:
            self._move(batch, root, made)

    def _synced(self, batch: Batch, root: Root, made: Made, response: Response) -> None:
        if response.errnum:
            self._failed(batch, response)
        else:
            self._move(batch, root, made)

    def _failed(self, batch: Batch, response: Response) -> None:
        for commit in batch.commits:
            commit.call.refuse(response.errnum, response.text())
        self._done()

    def _move(self, batch: Batch, root: Root, made: Made) -> None:
        for ref, entries in made.dirs.items():
            self.dirs.put(ref, entries, len(made.blobs[ref]))
        for ref in made.replaced:
            self.dirs.retire(ref)
        root.move(made.ref, root.seq + 1)
        self.publish(f"kvs.namespace-{root.namespace}-setroot", batch.event(root.ref, root.seq), private=True)
        for commit in batch.commits:
            commit.call.respond(root.version())
        self._done()

    def _done(self) -> None:
        self._busy = False
        if self.queue:
            self._wake()

    # -- figures ----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Figures about directories at hand, namespaces and commits."""
        sizes = Tally()
        for size in self.dirs.sizes():
            sizes.add(size)
        return {
            "cache": {
                "obj size total (MiB)": self.dirs.size / (1 << 20),
                "obj size (KiB)": sizes.figures(1e-3),
                "#obj dirty": 0,
                "#obj incomplete": 0,
                "#faults": self.faults,
            },
            "namespace": {
                root.namespace: {
                    "#versionwaiters": root.waiters,
                    "#no-op stores": self.unchanged,
                    "#transactions": len(self.queue),
                    "#readytransactions": len(self.queue),
                    "store revision": root.seq,
                }
                for root in self.roots
            },
            "transaction-opcount": {"commit": self.opcounts.figures()},
            "pending_requests": len(self.open_calls()),
        }

    def clear_stats(self) -> None:
        """Begins to count anew."""
        super().clear_stats()
        self.opcounts = Tally()
        self.faults = self.unchanged = 0


def _dirref(obj: Any) -> str:
    """The blob that a directory reference refers to. Raises EINVAL."""
    if treeobj.validate(obj)["type"] != "dirref":
        raise OSError(EINVAL, "rootdir is not a directory reference")
    return str(obj["data"][0])
