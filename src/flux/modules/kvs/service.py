"""kvs: the key-value store of one broker. Rank 0 commits; the others pass commits on, and follow the roots by event."""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from errno import ECONNABORTED, EEXIST, EINVAL, EIO, ENOENT, ENOSYS, ENOTSUP, EPERM, EPROTO
from functools import partial
from typing import Any

from flux.base import blobref, treeobj
from flux.base.blobref import BlobHash, is_blobref
from flux.modules.kvs.committer import Asker, Committer
from flux.modules.kvs.dirs import Dirs
from flux.modules.kvs.fence import WHY, Share, merged
from flux.modules.kvs.lookup import Lookup
from flux.modules.kvs.pages import Missing
from flux.modules.kvs.queue import Commit
from flux.modules.kvs.roots import PRIMARY, Root, Roots, UnknownRoot
from flux.modules.kvs.stats import Tally
from flux.modules.kvs.transaction import COMPACT, SYNC, Transaction, check_guest, compacted, read
from flux.service import LATER, Call, Later, Service, event, request
from flux.service.settings import setting, size_setting
from flux.wire.message import OWNER, USER, Event, Request, Response

CACHE = 8 << 20
"""Bytes of directories, as JSON, that are kept parsed, unless kvs.cache-limit says otherwise."""
NOBODY = 0xFFFFFFFF
"""The owner of a namespace that is created for nobody in particular: it is the instance's."""

NAME = 255
"""Characters of a namespace's name at most."""

LOOKUP_PLUS = "kvs.lookup-plus"


class KVS(Service):
    """Answers lookups from this broker's own view, which is one snapshot after the other."""

    name = "kvs"

    async def start(self) -> None:
        attributes = self.host.attributes
        self.hash = BlobHash(setting(attributes, "content.hash", "sha1"))
        self.dirs = Dirs(size_setting(attributes, "kvs.cache-limit", CACHE))
        self.roots = Roots()
        self.opcounts = Tally()
        self.faults = 0
        self._names = 0
        self._committers: dict[str, Committer] = {}
        """On rank 0: who commits, by namespace."""
        self._fences: dict[str, dict[Call, Transaction]] = {}
        """Who waits at each fence on this broker."""
        self._broken: dict[str, int] = {}
        """Fences that cannot be passed any more, and why, until everybody has heard of it."""
        self._decided: set[str] = set()
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
        root = self.roots.find(PRIMARY)
        if self.host.rank == 0 and root is not None and not self._committers[PRIMARY].busy:
            # A commit on its way brings its own root. Without a backing store there is nobody to remember it.
            with suppress(OSError):
                await self.rpc("content.checkpoint-put", {"value": _short(self.checkpoint(root, root.ref, root.seq))})

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

    @event("kvs.namespace-")
    def told_of_root(self, event: Event) -> None:
        """Rank 0 has a new root of a namespace, or none any more."""
        told, what = event.body(), event.topic.rpartition("-")[2]
        if what == "error":
            self._passed(told["names"], told["errnum"], event)
            return
        namespace = told["namespace"]
        if self.host.rank != 0 and self.roots.followed(namespace):
            if what == "removed":
                self.roots.remove(namespace, ENOTSUP)
            else:
                self.roots.arrive(told)
        if what == "setroot":
            self._passed(told["names"], 0, event)

    def events_lost(self) -> None:
        """Asks for the roots again; questions that come meanwhile wait for them."""
        for key in list(self._fences):
            self._break(key)
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

        def told(root: Root | None) -> None:
            if root is None:
                call.refuse(ENOTSUP, f"namespace {namespace} was removed")
            else:
                call.respond(root.version())

        def wait(root: Root) -> None:
            if call.closed:  # the caller left while the root was asked for
                return
            call.on_close = lambda: root.forget(told)
            root.when(rootseq, told)

        return self._with_root(call, namespace, wait)

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
        if not rootref:
            root.ref = await self._empty()
        elif not is_blobref(rootref):
            raise OSError(EINVAL, f"not a blobref: {rootref:.80}")
        if namespace in self._committers:
            raise OSError(EEXIST, f"namespace {namespace} exists already")
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

    @request(allow=USER)
    def setroot_pause(self, call: Call, *, namespace: str) -> None:
        """Lets this broker's view of a namespace stay as it is (for tests)."""
        self._check_test(call, namespace)
        self.roots.pause(namespace)

    @request(allow=USER)
    def setroot_unpause(self, call: Call, *, namespace: str) -> None:
        """Lets this broker's view of a namespace move again (for tests)."""
        self._check_test(call, namespace)
        self.roots.go_on(namespace)

    def _check_test(self, call: Call, namespace: str) -> None:
        root = self.roots.find(namespace)
        if root is None:
            raise OSError(ENOTSUP, f"no namespace {namespace} here")
        if not self._permits(call, root):
            raise OSError(EPERM, f"namespace {namespace} is somebody else's")

    @request()
    def dropcache(self, call: Call) -> None:
        """Lets all directories go; they are in the content store."""
        self.dirs.clear()

    @event("kvs.dropcache")
    def dropcache_all(self, event: Event) -> None:
        """All brokers do."""
        self.dirs.clear()

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
            self.fetch(missing.refs, lookup, again)
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

    def fetch(self, refs: Iterable[str], asker: Asker, again: Callable[[], None]) -> None:
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
        transaction = self._read(call.request)
        go = self._pass_on if self.host.rank != 0 else partial(self._enqueue, transaction)
        return self._with_root(call, transaction.namespace, lambda root: go(call))

    def _read(self, asked: Request) -> Transaction:
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
        self._put(Commit(call, transaction, f"transaction_req.{self.host.rank}.{self._names}"))

    def _put(self, commit: Commit) -> None:
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
        self._put(Commit(None, self._read(call.request), name))

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

    # -- fences -----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    def fence(self, call: Call, *, name: str, nprocs: int) -> Later:
        """Commits together with others: as many callers as `nprocs` says, anywhere in the session (2016's kvs.fence).

        Errors: EINVAL (callers disagree on nprocs, flags or namespace), ECONNABORTED (a caller left).
        """
        if nprocs < 1:
            raise OSError(EINVAL, f"nprocs must be at least 1, not {nprocs}")
        transaction, asked = self._read(call.request), call.request
        who = "" if asked.rolemask & OWNER else f"{asked.userid}:"
        return self._with_root(
            call, transaction.namespace, lambda root: self._enter(call, transaction, f"fence.{who}{name}")
        )

    def _enter(self, call: Call, transaction: Transaction, key: str) -> None:
        if call.closed:
            return
        self.keep(call)
        self._fences.setdefault(key, {})[call] = transaction
        call.on_close = lambda: self._break(key)
        self._report(key)

    def _break(self, key: str) -> None:
        """Nobody will pass any more."""
        self._broken[key] = ECONNABORTED
        self._report(key)

    def _report(self, key: str) -> None:
        here = self._fences.get(key, {})
        shares = [
            Share(call.request.body()["nprocs"], asked.flags, asked.namespace, 1, asked.ops)
            for call, asked in here.items()
        ]
        share = merged(shares)
        share.errnum = share.errnum or self._broken.get(key, 0)
        self.contribute(key, share)

    def merge(self, key: str, values: Iterable[Any]) -> Share:
        """Shares of a fence add up."""
        return merged(values)

    def reduced(self, key: str, value: Any) -> None:
        """Rank 0: commits the fence, or gives it up, once that is decided."""
        share: Share = value
        if not share.decided or key in self._decided:
            return
        self._decided.add(key)
        if share.errnum:
            self.failed(share.namespace or PRIMARY, [key], share.errnum)
        else:
            self._put(Commit(None, share.transaction(), key))

    def contributor_lost(self, key: str) -> None:
        """A broker below is gone, and callers of the fence with it."""
        self._break(key)

    def _passed(self, names: Iterable[str], errnum: int, event: Event) -> None:
        """Some transactions are done, or refused: those who wait for them go on."""
        for key in names:
            if not key.startswith("fence."):
                continue
            self.close(key, event)
            self._decided.discard(key)
            self._broken.pop(key, None)
            for call, transaction in self._fences.pop(key, {}).items():
                root = self.roots.find(transaction.namespace)
                if errnum or root is None:
                    call.refuse(errnum or EIO, WHY.get(errnum, ""))
                else:
                    call.respond(root.version())

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


def _dirref(obj: Any) -> str:
    """The blob that a directory reference refers to. Raises EINVAL."""
    if treeobj.validate(obj)["type"] != "dirref":
        raise OSError(EINVAL, "rootdir is not a directory reference")
    return str(obj["data"][0])


def _check_namespace(namespace: str, flags: int) -> None:
    """Refuses names that no event could tell of, by EINVAL."""
    if not namespace or not namespace.isprintable() or len(namespace) > NAME:
        raise OSError(EINVAL, f"not a name for a namespace: {namespace!r:.80}")
    if flags:
        raise OSError(EINVAL, f"unknown flags {flags}")


def _short(root: dict[str, Any]) -> dict[str, Any]:
    """A root as today's checkpoints have it."""
    return {key: root[key] for key in ("version", "rootref", "sequence", "timestamp")}
