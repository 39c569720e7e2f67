"""Several namespaces, snapshots and watchers on all ranks of a session, against trees of plain dicts.

Hypothesis writes the programs: commits, lookups now and at what was once a root, links from one namespace into
another, namespaces that come and go, and watchers that have to see each value once and in order.
"""

import asyncio
import copy
import errno
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flux.base import treeobj
from flux.modules.kvs.lookup import READDIR
from flux.modules.kvs_watch.flags import FULL, UNIQ, WAITCREATE, WATCH
from flux.testing.instance import SimInstance, simulate
from flux.testing.network import ROUGH
from tests.modules.kvs.test_kvs_model import Model, Refused, op

SIZE = 3
MODULES = ("heartbeat", "live", "content", "content-memory", "kvs", "kvs-watch")
NAMESPACES = ("primary", "one", "two")
FAR = "far"
"""The directory of links into other namespaces; none but those are made there."""

ranks = st.integers(0, SIZE - 1)
spaces = st.sampled_from(NAMESPACES)
keys = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)
values = st.sampled_from([b"", b"1", b"22", b"x" * 60])
changes = st.one_of(
    st.tuples(st.just("put"), keys, values),
    st.tuples(st.just("append"), keys, values),
    st.tuples(st.just("mkdir"), keys, st.none()),
    st.tuples(st.just("unlink"), keys, st.none()),
    st.tuples(st.just("link"), keys, keys),
)
steps = st.one_of(
    st.tuples(st.just("commit"), ranks, spaces, st.lists(changes, min_size=1, max_size=4)),
    st.tuples(st.just("commit"), ranks, st.just("primary"), st.lists(changes, min_size=1, max_size=4)),
    st.tuples(st.just("look"), ranks, spaces, keys),
    st.tuples(st.just("create"), ranks, spaces, st.none()),
    st.tuples(st.just("remove"), ranks, spaces, st.none()),
    st.tuples(st.just("keep"), ranks, spaces, st.none()),
    st.tuples(st.just("look_back"), ranks, st.integers(0, 9), keys),
    st.tuples(st.just("watch"), ranks, spaces, keys),
    st.tuples(st.just("link_far"), ranks, spaces, st.tuples(st.sampled_from("xyz"), spaces, keys)),
    st.tuples(st.just("look_far"), ranks, spaces, st.sampled_from("xyz")),
)


class Space:
    """A namespace of the model."""

    def __init__(self) -> None:
        self.model = Model()
        self.far: dict[str, tuple[str, str]] = {}
        self.version = 0
        self.watchers: list[Watcher] = []


class Watcher:
    """What one has to be told, and what it is told."""

    def __init__(self, flux: SimInstance, rank: int, namespace: str, key: str) -> None:
        self.key = key
        self.expected: list[Any] = []
        self.told: list[Any] = []
        self._over = False
        flags = WATCH | WAITCREATE | FULL | UNIQ
        face = flux[rank].client()
        self._stream = face.stream("kvs-watch.lookup", {"key": key, "namespace": namespace, "flags": flags})
        self._hearing = asyncio.ensure_future(self._hear())

    def now(self, found: Any) -> None:
        """That is at the key now: a value, or the error that a lookup ends in."""
        if self._over or (found == errno.ENOENT and not self.expected) or self.expected[-1:] == [found]:
            return
        self.expected.append(found)
        self._over = isinstance(found, int)

    async def _hear(self) -> None:
        try:
            async for answer in self._stream:
                self.told.append(treeobj.value_of(answer["val"]))
        except OSError as error:
            self.told.append(error.errno)

    async def stop(self) -> None:
        self._stream.cancel()
        await self._hearing
        assert self.told == self.expected, f"{self.key}: told {self.told}, expected {self.expected}"


class World:
    """Does each step in the session and in the model, and compares."""

    def __init__(self, flux: SimInstance) -> None:
        self.flux = flux
        self.spaces = {"primary": Space()}
        self.kept: list[tuple[str, Model]] = []
        self.watchers: list[Watcher] = []

    async def play(self, program: list[Any]) -> None:
        for what, rank, where, how in program:
            await getattr(self, what)(rank, where, how)
        for name, space in self.spaces.items():
            for rank in range(SIZE):
                await self.ask(rank, "kvs.wait-version", namespace=name, rootseq=space.version)
        await self.flux.settle()
        await asyncio.sleep(1)
        for watcher in self.watchers:
            await watcher.stop()

    async def ask(self, rank: int, topic: str, **payload: Any) -> Any:
        """An answer, or the number of the error."""
        try:
            return await self.flux[rank].rpc(topic, payload)
        except OSError as error:
            return error.errno

    async def seen(self, rank: int) -> None:
        """What was committed elsewhere has come to this rank."""
        for name, space in self.spaces.items():
            await self.ask(rank, "kvs.wait-version", namespace=name, rootseq=space.version)

    # -- steps ------------------------------------------------------------------------------------------------------

    async def commit(self, rank: int, name: str, transaction: list[tuple[str, str, Any]]) -> None:
        ops = [{"key": made.key, "flags": made.flags, "dirent": made.dirent} for made in (op(*c) for c in transaction)]
        answer = await self.ask(rank, "kvs.commit", ops=ops, namespace=name, flags=0)
        if name not in self.spaces:
            assert answer == errno.ENOTSUP
            return
        space = self.spaces[name]
        changed = copy.deepcopy(space.model)
        try:
            for change in transaction:
                changed.do(*change)
        except Refused:
            assert isinstance(answer, int)
            return
        if isinstance(answer, int):
            raise AssertionError(f"{transaction}: {errno.errorcode[answer]}")
        space.model = changed
        self.version(space, answer)

    def version(self, space: Space, answer: dict[str, Any]) -> None:
        assert answer["rootseq"] == space.version + 1
        space.version += 1
        for watcher in space.watchers:
            watcher.now(self.found(space.model, watcher.key))

    def found(self, model: Model, key: str) -> Any:
        try:
            found = model.find(key)
        except Refused:
            return errno.ELOOP
        if found is None:
            return errno.ENOENT
        return errno.EISDIR if isinstance(found, dict) else found

    async def compare(self, rank: int, model: Model, key: str, **where: Any) -> None:
        answer = await self.ask(rank, "kvs.lookup", key=key, flags=0, **where)
        found = answer if isinstance(answer, int) else treeobj.value_of(answer["val"])
        assert found == self.found(model, key), key
        if found == errno.EISDIR:
            answer = await self.ask(rank, "kvs.lookup", key=key, flags=READDIR, **where)
            assert set(answer["val"]["data"]) == set(model.find(key))

    async def look(self, rank: int, name: str, key: str) -> None:
        await self.seen(rank)
        if name in self.spaces:
            await self.compare(rank, self.spaces[name].model, key, namespace=name)
        else:
            assert await self.ask(rank, "kvs.lookup", key=key, flags=0, namespace=name) == errno.ENOTSUP

    async def create(self, rank: int, name: str, _: None) -> None:
        answer = await self.ask(rank, "kvs.namespace-create", namespace=name, owner=0xFFFFFFFF, flags=0)
        if name in self.spaces:
            assert answer == errno.EEXIST
        else:
            assert not isinstance(answer, int)
            self.spaces[name] = Space()
            await self.flux.settle()

    async def remove(self, rank: int, name: str, _: None) -> None:
        answer = await self.ask(rank, "kvs.namespace-remove", namespace=name)
        if name == "primary":
            assert answer == errno.ENOTSUP
        elif name in self.spaces:
            for watcher in self.spaces.pop(name).watchers:
                watcher.now(errno.ENOTSUP)
            await self.flux.settle()

    async def keep(self, rank: int, name: str, _: None) -> None:
        """Takes a snapshot."""
        if name in self.spaces:
            await self.seen(rank)
            root = await self.ask(rank, "kvs.getroot", namespace=name)
            self.kept.append((root["rootref"], copy.deepcopy(self.spaces[name].model)))

    async def look_back(self, rank: int, which: int, key: str) -> None:
        """Looks into a snapshot, whose namespace may be long gone."""
        if which < len(self.kept):
            ref, model = self.kept[which]
            await self.compare(rank, model, key, rootdir=treeobj.dirref(ref))

    async def watch(self, rank: int, name: str, key: str) -> None:
        if name not in self.spaces:
            return
        await self.seen(rank)
        space = self.spaces[name]
        watcher = Watcher(self.flux, rank, name, key)
        watcher.now(self.found(space.model, key))
        space.watchers.append(watcher)
        self.watchers.append(watcher)
        await asyncio.sleep(0.5)  # it sees what is there now, before that changes

    async def link_far(self, rank: int, name: str, link: tuple[str, str, str]) -> None:
        if name not in self.spaces:
            return
        own, namespace, target = link
        made = {"key": f"{FAR}.{own}", "flags": 0, "dirent": treeobj.symlink(target, namespace)}
        answer = await self.ask(rank, "kvs.commit", ops=[made], namespace=name, flags=0)
        self.spaces[name].far[own] = namespace, target
        self.version(self.spaces[name], answer)

    async def look_far(self, rank: int, name: str, own: str) -> None:
        if name not in self.spaces:
            return
        await self.seen(rank)
        namespace, target = self.spaces[name].far.get(own, (name, FAR + own))
        answer = await self.ask(rank, "kvs.lookup", key=f"{FAR}.{own}", flags=0, namespace=name)
        found = answer if isinstance(answer, int) else treeobj.value_of(answer["val"])
        if namespace in self.spaces:
            expected = self.found(self.spaces[namespace].model, target)
            assert found == expected
        else:
            assert found == errno.ENOTSUP


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=3, max_size=30), st.integers(0, 1 << 20))
def test_a_session_keeps_what_plain_dicts_would(program: list[Any], seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        await World(flux).play(program)

    simulate(scenario, SIZE, seed, modules=MODULES, weather=ROUGH)
