"""kvs: the key-value store of one broker. Rank 0 commits; the others pass commits on, and follow the roots by event."""

import os
from collections.abc import Callable
from contextlib import suppress
from errno import EEXIST, EINVAL, ENOENT, ENOSYS, ENOTSUP
from functools import partial
from typing import Any

from flux.base import treeobj
from flux.base.blobref import BlobHash, is_blobref
from flux.modules.kvs.committer import Committer
from flux.modules.kvs.dirs import Dirs
from flux.modules.kvs.fences import Fences
from flux.modules.kvs.queue import Commit
from flux.modules.kvs.roots import PRIMARY, Root, Roots
from flux.modules.kvs.stats import Tally
from flux.modules.kvs.transaction import COMPACT, SYNC, Transaction, check_guest, compacted, read
from flux.service import LATER, Call, Later, event, request
from flux.service.settings import setting, size_setting
from flux.wire.message import OWNER, USER, Event, Request, Response

CACHE = 8 << 20
"""Bytes of directories, as JSON, that are kept parsed, unless kvs.cache-limit says otherwise."""
NOBODY = 0xFFFFFFFF
"""The owner of a namespace that is created for nobody in particular: it is the instance's."""

NAME = 255
"""Characters of a namespace's name at most."""


class KVS(Fences):
    """Answers lookups from this broker's own view, which is one snapshot after the other."""

    name = "kvs"

    async def start(self) -> None:
        attributes = self.host.attributes
        self.hash = BlobHash(setting(attributes, "content.hash", "sha1"))
        self.dirs = Dirs(size_setting(attributes, "kvs.cache-limit", CACHE))
        self.roots = Roots()
        self.opcounts = Tally()
        self._names = 0
        self._committers: dict[str, Committer] = {}
        """On rank 0: who commits, by namespace."""
        if self.host.rank == 0:
            for root in await self._first_roots():
                self._open(root)

    async def _first_roots(self) -> list[dict[str, Any]]:
        """The roots that the content store remembers, else an empty one."""
        try:
            found = [self._told(root) for root in (await self.rpc("content.roots"))["roots"]]
        except OSError as error:
            # No backing store, or one of others. Any other failure must not look like an empty store.
            if error.errno not in (ENOSYS, ENOENT):
                raise
            found = await self._checkpointed()
        if not any(root["namespace"] == PRIMARY for root in found):
            found.append(self._told({"rootref": await self._empty(), "sequence": 0}))
        return found

    async def _checkpointed(self) -> list[dict[str, Any]]:
        try:
            return [self._told((await self.rpc("content.checkpoint-get"))["value"][0])]
        except OSError as error:
            if error.errno not in (ENOSYS, ENOENT):
                raise
            return []

    def _told(self, root: dict[str, Any]) -> dict[str, Any]:
        """A root of the content store, as events tell of one."""
        told = {"namespace": PRIMARY, "owner": os.getuid(), "flags": 0} | root
        return told | {"rootseq": root["sequence"]}

    async def _empty(self) -> str:
        """Stores an empty directory."""
        empty = treeobj.encode(treeobj.directory())
        await self.ask("content.store", empty)
        return self.hash.blobref(empty)

    def _open(self, told: dict[str, Any]) -> None:
        """Takes commits to a namespace from now on."""
        self.roots.arrive(told)
        root = self.roots.find(told["namespace"])
        if root is not None:
            self._committers[root.namespace] = Committer(root, self.dirs, self.hash, self)

    async def stop(self) -> None:
        await super().stop()
        root = self.roots.find(PRIMARY)
        if self.host.rank == 0 and root is not None and not self._committers[PRIMARY].busy:
            # A commit on its way brings its own root. Without a backing store there is nobody to remember it.
            with suppress(OSError):
                await self.rpc("content.checkpoint-put", {"value": _short(self.checkpoint(root, root.ref, root.seq))})

    # -- namespaces -------------------------------------------------------------------------------------------------

    @request()
    async def namespace_list(self, call: Call) -> dict[str, Any]:
        """Lists the namespaces."""
        if self.host.rank:
            return await self.rpc("kvs.namespace-list", {}, nodeid=0)
        keys = ("namespace", "owner", "flags")
        return {"namespaces": [{key: root.described()[key] for key in keys} for root in self.roots]}

    @request()
    async def namespace_create(
        self, call: Call, *, namespace: str, owner: int, flags: int, rootref: str = ""
    ) -> dict[str, Any] | None:
        """Creates a namespace, empty or with a root. EEXIST if there is one of that name."""
        if self.host.rank:
            return await self.rpc("kvs.namespace-create", call.request.body(), nodeid=0)
        _check_namespace(namespace, flags)
        owner = owner & NOBODY
        root = Root(namespace, rootref, 0, os.getuid() if owner == NOBODY else owner, flags)
        if rootref and not is_blobref(rootref):
            raise OSError(EINVAL, f"not a blobref: {rootref:.80}")
        empty = await self._empty()  # of which clients take it that it is there
        root.ref = rootref or empty
        if namespace in self._committers:
            raise OSError(EEXIST, os.strerror(EEXIST))
        self._open(root.described())
        try:
            await self._remember(root)
        except OSError:
            self._close(namespace)
            raise
        told = {"namespace": namespace, "rootref": root.ref, "rootseq": 0, "owner": root.owner, "flags": flags}
        self.publish(f"kvs.namespace-{namespace}-created", told, private=True)
        return None

    async def _remember(self, root: Root) -> None:
        """Lets the content store know of a namespace; one that keeps nothing but blobs need not."""
        data = {"blobs": {}, "root": self.checkpoint(root, root.ref, root.seq)}
        await self.ask("content.commit", data)

    @request()
    async def namespace_remove(self, call: Call, *, namespace: str) -> dict[str, Any] | None:
        """Removes a namespace; one that is not there has been removed already. ENOTSUP for the primary one."""
        if self.host.rank:
            return await self.rpc("kvs.namespace-remove", call.request.body(), nodeid=0)
        if namespace == PRIMARY:
            raise OSError(ENOTSUP, "the primary namespace cannot be removed")
        if namespace in self._committers:
            self._close(namespace)
            with suppress(OSError):  # a content store that does not know of namespaces has nothing to forget
                await self.rpc("content.root-remove", {"namespace": namespace})
            self.publish(f"kvs.namespace-{namespace}-removed", {"namespace": namespace}, private=True)
        return None

    def _close(self, namespace: str) -> None:
        self._committers.pop(namespace).close()
        self.roots.remove(namespace, ENOTSUP)

    @request()
    def dropcache(self, call: Call) -> None:
        """Lets all directories go; they are in the content store."""
        self.dirs.clear()

    @event("kvs.dropcache")
    def dropcache_all(self, event: Event) -> None:
        """All brokers do."""
        self.dirs.clear()

    # -- commits ----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    def commit(self, call: Call) -> Later:
        """Commits operations, all or none of them; gives the root that has them."""
        trusted = bool(call.request.rolemask & OWNER)
        if trusted and self.host.rank != 0:
            # What is only passed on need not be read.
            self._pass_on(call)
            return LATER
        transaction = self.read(call.request)
        go = self._pass_on if self.host.rank != 0 else partial(self._enqueue, transaction)
        return self.with_root(call, transaction.namespace, lambda root: go(call))

    def read(self, asked: Request) -> Transaction:
        """The transaction of a request, as far as it may be."""
        transaction = read(asked.data)
        if not asked.rolemask & OWNER:
            check_guest(transaction)
        if transaction.flags & SYNC and transaction.namespace != PRIMARY:
            raise OSError(EINVAL, "only the primary namespace can be synchronized")
        if transaction.flags & COMPACT:
            transaction.ops = compacted(transaction.ops)
        return transaction

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
        self.put(Commit(call, transaction, f"transaction_req.{self.host.rank}.{self._names}"))

    def put(self, commit: Commit) -> None:
        """Hands a commit to its namespace's committer, on rank 0."""
        committer = self._committers.get(commit.transaction.namespace)
        if committer is not None:
            self.opcounts.add(len(commit.transaction.ops))
            committer.put(commit)
        elif commit.call is not None:
            commit.call.refuse(ENOTSUP, f"no namespace {commit.transaction.namespace}")
        else:
            self.failed(commit.transaction.namespace, [commit.name], ENOTSUP)

    @request()
    def relaycommit(self, call: Call, *, name: str) -> None:
        """Commits for another broker, which hears of it by the event that has this name. Rank 0 only."""
        if self.host.rank:
            raise OSError(EINVAL, "kvs.relaycommit is for rank 0")
        self.put(Commit(None, self.read(call.request), name))

    # -- what committers have done for them -------------------------------------------------------------------------

    def checkpoint(self, root: Root, ref: str, seq: int) -> dict[str, Any]:
        """A root as the content store remembers it."""
        told = {"version": 1, "rootref": ref, "sequence": seq, "timestamp": self.host.wall()}
        return told | {"namespace": root.namespace, "owner": root.owner, "flags": root.flags}

    def store(self, blobs: dict[str, bytes], root: dict[str, Any], told: Callable[[Response], None]) -> None:
        """Has the content store keep blobs and the root that they make."""
        self.send_request("content.commit", {"blobs": blobs, "root": root}, told)

    def sync(self, root: dict[str, Any], told: Callable[[Response], None]) -> None:
        """Has the content store put a root on disk."""
        self.send_request("content.checkpoint-put", {"value": _short(root)}, told)

    def moved(self, root: Root, told: dict[str, Any]) -> None:
        """Tells all of a new root."""
        self.publish(f"kvs.namespace-{root.namespace}-setroot", told, private=True)

    def failed(self, namespace: str, names: list[str], errnum: int) -> None:
        """Tells all who wait for these commits, wherever they are, that they came to nothing."""
        told = {"namespace": namespace, "names": names, "errnum": errnum}
        self.publish(f"kvs.namespace-{namespace}-error", told, private=True)

    def later(self, do: Callable[[], None]) -> None:
        """Does something at the end of this turn of the loop, when all have come that come in it."""
        self.host.after(0, do)

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Does something a moment later."""
        self.host.after(seconds, do)

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
                root.namespace: {"#versionwaiters": root.waiters, "store revision": root.seq}
                | self._queued(root.namespace)
                for root in self.roots
            },
            "transaction-opcount": {"commit": self.opcounts.figures()},
            "pending_requests": len(self.open_calls()),
        }

    def _queued(self, namespace: str) -> dict[str, int]:
        committer = self._committers.get(namespace)
        waiting = len(committer) if committer is not None else 0
        unchanged = committer.unchanged if committer is not None else 0
        return {"#no-op stores": unchanged, "#transactions": waiting, "#readytransactions": waiting}

    def clear_stats(self) -> None:
        """Begins to count anew."""
        super().clear_stats()
        self.opcounts = Tally()
        self.faults = 0
        for committer in self._committers.values():
            committer.unchanged = 0


def _check_namespace(namespace: str, flags: int) -> None:
    """Refuses names that no event could tell of, by EINVAL."""
    if not namespace or not namespace.isprintable() or len(namespace) > NAME:
        raise OSError(EINVAL, f"not a name for a namespace: {namespace!r:.80}")
    if flags:
        raise OSError(EINVAL, f"unknown flags {flags}")


def _short(root: dict[str, Any]) -> dict[str, Any]:
    """A root as today's checkpoints have it."""
    return {key: root[key] for key in ("version", "rootref", "sequence", "timestamp")}
