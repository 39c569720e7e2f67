"""kvs-watch in simulated sessions: each version once and in order, whatever the weather."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from flux.base import treeobj
from flux.modules.kvs_watch.flags import (
    APPEND,
    FULL,
    READDIR,
    READLINK,
    SENTINEL,
    STREAM,
    TREEOBJ,
    UNIQ,
    WAITCREATE,
    WATCH,
)
from flux.modules.kvs_watch.service import KVSWatch
from flux.testing.instance import SimInstance, simulate
from flux.testing.network import ROUGH
from flux.wire.message import USER

MODULES = ("content", "content-memory", "kvs", "kvs-watch")
GUEST = (4242, USER)
OP_APPEND = 32
Scenario = Callable[[SimInstance], Awaitable[None]]


def play(scenario: Scenario, size: int = 3, **how: Any) -> None:
    simulate(scenario, size, **({"modules": MODULES} | how))


def op(key: str, value: bytes | None, flags: int = 0) -> dict[str, Any]:
    return {"key": key, "flags": flags, "dirent": None if value is None else treeobj.val(value)}


async def commit(flux: SimInstance, rank: int, *ops: dict[str, Any], namespace: str = "primary") -> dict[str, Any]:
    return await flux[rank].rpc("kvs.commit", {"ops": list(ops), "namespace": namespace, "flags": 1})


class Seen:
    """A client that watches a key."""

    def __init__(self, flux: SimInstance, rank: int, key: str, flags: int, who: Any = (), ns: str = "primary") -> None:
        self.face = flux[rank].client(*who)
        self.stream = self.face.stream("kvs-watch.lookup", {"key": key, "namespace": ns, "flags": flags})
        self._answers: AsyncIterator[dict[str, Any]] = aiter(self.stream)

    async def object(self) -> Any:
        """The next answer; None for one without payload."""
        return (await anext(self._answers)).get("val")

    async def next(self) -> bytes:
        return treeobj.value_of(await self.object())

    async def many(self, count: int) -> list[bytes]:
        return [await self.next() for _ in range(count)]

    async def error(self) -> int:
        """The error that ends it, instead of the next answer."""
        with pytest.raises(OSError, match=r".") as caught:
            await self.object()
        return caught.value.errno or 0

    async def end(self) -> None:
        """There is nothing more, and that is in order."""
        with pytest.raises(StopAsyncIteration):
            await self.object()

    async def stop(self) -> None:
        self.stream.cancel()
        await self.end()


def module(flux: SimInstance, rank: int) -> KVSWatch:
    return next(service for service in flux[rank].broker.services.values() if isinstance(service, KVSWatch))


# -- plain watches -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_each_version_is_seen_once_and_in_order_on_every_rank(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a.b", b"0"))
        seen = [Seen(flux, rank, "a.b", WATCH) for rank in range(flux.size)]
        for one in seen:
            assert await one.next() == b"0"
        # Large values must be loaded, small ones are at hand: answers come out of order.
        values = [b"%d" % n * (1 + 199 * (n % 2)) for n in range(1, 20)]
        for value in values:
            await commit(flux, flux.random.randrange(flux.size), op("a.b", value), op("a.c", value))
        for one in seen:
            assert await one.many(len(values)) == values
            await one.stop()

    play(scenario, 7, seed=seed, weather=ROUGH, modules=("heartbeat", *MODULES))


def test_a_watch_is_told_of_its_key_alone_even_if_the_value_is_as_before() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a", b"1"))
        seen = Seen(flux, 1, ".a.", WATCH)
        assert await seen.next() == b"1"
        for ops in ([op("b", b"1")], [op("a", b"1")], [op("c", b"1")], [op("a", b"2"), op("b", b"2")]):
            await commit(flux, 2, *ops)
        assert await seen.many(2) == [b"1", b"2"]
        await commit(flux, 2, op("a", None))
        assert await seen.error() == errno.ENOENT

    play(scenario)


def test_a_key_that_is_not_there_is_refused_or_waited_for() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert await Seen(flux, 1, "a", WATCH).error() == errno.ENOENT
        waits = [Seen(flux, 1, "a", WATCH | WAITCREATE | more) for more in (0, FULL, UNIQ, APPEND)]
        once = asyncio.ensure_future(
            flux[2].rpc("kvs-watch.lookup", {"key": "a", "namespace": "primary", "flags": WAITCREATE})
        )
        await flux.settle()
        await commit(flux, 0, op("b", b"1"))
        await commit(flux, 0, op("a", None))
        await commit(flux, 0, op("a", b"1"))
        for one in waits:
            assert await one.next() == b"1"
        assert await once == {"val": treeobj.val(b"1")}
        await flux.settle()
        assert not module(flux, 2).namespaces
        for one in waits:
            await one.stop()

    play(scenario)


def test_directories_links_and_objects_are_watched_by_their_flags() -> None:
    async def scenario(flux: SimInstance) -> None:
        link = {"key": "l", "flags": 0, "dirent": treeobj.symlink("d.x")}
        await commit(flux, 0, op("d.x", b"1"), link)
        assert (await Seen(flux, 1, "d", WATCH | READDIR).object())["data"] == {"x": treeobj.val(b"1")}
        assert await Seen(flux, 1, "l", WATCH | READLINK).object() == treeobj.symlink("d.x")
        assert (await Seen(flux, 1, "d", WATCH | TREEOBJ).object())["type"] == "dirref"
        assert await Seen(flux, 1, "d", WATCH).error() == errno.EISDIR
        assert await Seen(flux, 1, "d", WATCH | APPEND).error() == errno.EISDIR
        whole = Seen(flux, 2, ".", WATCH | READDIR | FULL)
        assert set((await whole.object())["data"]) == {"d", "l"}
        await commit(flux, 0, op("e", b"1"))
        assert set((await whole.object())["data"]) == {"d", "e", "l"}

    play(scenario)


def test_flags_that_do_not_go_together_are_refused() -> None:
    async def scenario(flux: SimInstance) -> None:
        for flags in (WATCH | STREAM, FULL, UNIQ, WAITCREATE | APPEND, WATCH | SENTINEL):
            assert await Seen(flux, 0, "a", flags).error() == errno.EINVAL
        for flags in (WATCH, STREAM):
            with pytest.raises(OSError, match="streaming") as caught:
                await flux[0].rpc("kvs-watch.lookup", {"key": "a", "namespace": "primary", "flags": flags})
            assert caught.value.errno == errno.EPROTO
        assert await Seen(flux, 0, "", WATCH).error() == errno.EINVAL
        assert not module(flux, 0).namespaces

    play(scenario, size=1)


# -- what is compared --------------------------------------------------------------------------------------------------


def test_full_hears_of_ancestors_and_links_and_of_nothing_that_stays() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("d.x", b"1"))
        plain, full = Seen(flux, 1, "d.x", WATCH), Seen(flux, 1, "d.x", WATCH | FULL)
        assert (await plain.next(), await full.next()) == (b"1", b"1")
        await commit(flux, 0, op("z", b"1"))
        other = {"key": "d", "flags": 0, "dirent": treeobj.directory({"x": treeobj.val(b"2")})}
        await commit(flux, 0, other)
        await commit(flux, 0, op("d.x", b"2"))
        assert await full.next() == b"2" and await plain.next() == b"2"
        await commit(flux, 0, op("d", None))
        assert await full.error() == errno.ENOENT
        await plain.stop()

    play(scenario)


def test_uniq_hears_of_other_values_only() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a", b"1"))
        seen = Seen(flux, 2, "a", WATCH | UNIQ)
        for value in (b"1", b"2", b"2", b"1"):
            await commit(flux, 1, op("a", value))
        await commit(flux, 1, op("a", b"3"))
        got = [await seen.next()]
        while got[-1] != b"3":
            got.append(await seen.next())
        assert got == [b"1", b"2", b"1", b"3"]

    play(scenario)


# -- what is appended --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_append_hears_of_what_is_appended_and_loads_nothing_else(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("log", b"first"))
        seen = Seen(flux, 2, "log", WATCH | APPEND)
        assert await seen.next() == b"first"
        lines = [b"line %d " % n * 40 for n in range(50)]
        for line in lines:
            await commit(flux, flux.random.randrange(3), op("log", line, OP_APPEND))
        assert await seen.many(50) == lines
        late = Seen(flux, 1, "log", WATCH | APPEND)
        assert b"".join(await late.many(51)) == b"first" + b"".join(lines)

    play(scenario, seed=seed, weather=ROUGH, modules=("heartbeat", *MODULES))


@pytest.mark.parametrize("value", [b"x", b"x" * 200, None])
def test_a_log_that_is_replaced_ends_a_watch_of_what_is_appended(value: bytes | None) -> None:
    async def scenario(flux: SimInstance) -> None:
        for how in range(2):
            key = f"log{how}"
            await commit(flux, 0, op(key, b"1"))
            for n in range(how):
                await commit(flux, 0, op(key, b"%d" % n, OP_APPEND))
            seen = Seen(flux, 1, key, WATCH | APPEND)
            await seen.many(1 + how)
            await commit(flux, 0, op(key, value))
            assert await seen.error() == (errno.EINVAL if value else errno.ENOENT)

    play(scenario)


def test_one_log_in_place_of_another_as_long_is_not_taken_for_it() -> None:
    async def scenario(flux: SimInstance) -> None:
        for key in ("log", "other"):
            for n in range(4):
                await commit(flux, 0, op(key, key.encode() + b"%d" % n, OP_APPEND))
        seen = Seen(flux, 1, "log", WATCH | APPEND)
        await seen.many(4)
        found = await flux[0].rpc("kvs.lookup", {"key": "other", "namespace": "primary", "flags": TREEOBJ})
        await commit(flux, 0, {"key": "log", "flags": 0, "dirent": found["val"]})
        assert await seen.error() == errno.EINVAL

    play(scenario)


def test_a_sentinel_marks_the_end_of_what_was_there() -> None:
    async def scenario(flux: SimInstance) -> None:
        waiting = Seen(flux, 1, "log", WATCH | APPEND | SENTINEL | WAITCREATE)
        assert await waiting.object() is None
        await commit(flux, 0, op("log", b"1", OP_APPEND))
        assert await waiting.next() == b"1"
        small = Seen(flux, 1, "log", WATCH | APPEND | SENTINEL)
        assert (await small.next(), await small.object()) == (b"1", None)
        await commit(flux, 0, op("log", b"2", OP_APPEND))
        assert (await waiting.next(), await small.next()) == (b"2", b"2")
        large = Seen(flux, 1, "log", WATCH | APPEND | SENTINEL)
        assert (await large.next(), await large.next(), await large.object()) == (b"1", b"2", None)
        await commit(flux, 0, op("log", b"3", OP_APPEND))
        assert await large.next() == b"3"

    play(scenario)


def test_a_stream_is_one_answer_for_each_part_and_ends() -> None:
    async def scenario(flux: SimInstance) -> None:
        waiting = Seen(flux, 2, "log", STREAM | WAITCREATE)
        await flux.settle()
        assert await Seen(flux, 2, "log", STREAM).error() == errno.ENOENT
        await commit(flux, 0, op("log", b"0", OP_APPEND))
        assert await waiting.next() == b"0"
        await waiting.end()
        for n in range(1, 200):
            await commit(flux, 0, op("log", b"%d" % n, OP_APPEND))
        seen = Seen(flux, 2, "log", STREAM)
        assert await seen.many(200) == [b"%d" % n for n in range(200)]
        await seen.end()
        await commit(flux, 0, {"key": "d", "flags": 0, "dirent": treeobj.directory()})
        assert await Seen(flux, 2, "d", STREAM).error() == errno.EISDIR
        assert not module(flux, 2).namespaces

    play(scenario)


# -- namespaces --------------------------------------------------------------------------------------------------------


async def create(flux: SimInstance, name: str, owner: int = -1) -> None:
    await flux[0].rpc("kvs.namespace-create", {"namespace": name, "owner": owner, "flags": 0, "rootref": ""})


@pytest.mark.parametrize("rank", [0, 2])
def test_a_namespace_that_is_removed_ends_its_watches(rank: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        assert await Seen(flux, rank, "a", WATCH, ns="ns").error() == errno.ENOTSUP
        early = Seen(flux, rank, "a", WATCH | WAITCREATE, ns="ns")
        await flux.settle()
        await create(flux, "ns")
        await commit(flux, 1, op("a", b"1"), namespace="ns")
        assert await early.next() == b"1"
        await commit(flux, 1, op("a", b"2"))
        await commit(flux, 1, op("a", b"3"), namespace="ns")
        assert await early.next() == b"3"
        waiting = Seen(flux, rank, "b", WATCH | WAITCREATE, ns="ns")
        await flux.settle()
        await flux[1].rpc("kvs.namespace-remove", {"namespace": "ns"})
        assert await early.error() == errno.ENOTSUP
        assert await waiting.error() == errno.ENOTSUP
        assert not module(flux, rank).namespaces

    play(scenario)


@pytest.mark.parametrize("rank", [0, 2])
def test_guests_watch_what_is_theirs(rank: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        await create(flux, "theirs", GUEST[0])
        await create(flux, "others", 77)
        link = {"key": "l", "flags": 0, "dirent": treeobj.symlink("a", "others")}
        await commit(flux, 0, op("a", b"1"), namespace="others")
        await commit(flux, 0, op("a", b"1"), link, namespace="theirs")
        assert await Seen(flux, rank, "a", WATCH, GUEST, "theirs").next() == b"1"
        for key, namespace in (("a", "primary"), ("a", "others"), ("l", "theirs")):
            assert await Seen(flux, rank, key, WATCH | WAITCREATE, GUEST, namespace).error() == errno.EPERM
        early = Seen(flux, rank, "a", WATCH | WAITCREATE, GUEST, "later")
        await flux.settle()
        await create(flux, "later", 77)
        assert await early.error() == errno.EPERM

    play(scenario)


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_who_lost_events_compares_and_hears_of_each_change_once() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a", b"1"), op("b", b"1"), op("log", b"1"))
        keys = {"a": WATCH, "b": WATCH, "log": WATCH | APPEND}
        seen = {key: Seen(flux, 2, key, flags) for key, flags in keys.items()}
        for one in seen.values():
            assert await one.next() == b"1"
        watch = module(flux, 2)
        hear, watch.prefixes = watch.prefixes, {}  # type: ignore[misc]
        await commit(flux, 0, op("a", b"2"))
        await commit(flux, 0, op("a", b"3"))
        await flux.settle()
        watch.prefixes = hear  # type: ignore[misc]
        watch.events_lost()
        assert await seen["a"].next() == b"3"
        await commit(flux, 0, op("a", b"4"), op("b", b"4"), op("log", b"4", OP_APPEND))
        for one in seen.values():
            assert await one.next() == b"4"

    play(scenario)


def test_who_leaves_or_cancels_leaves_nothing_behind() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a", b"1"))
        seen = [Seen(flux, 2, "a", WATCH) for _ in range(3)]
        for one in seen:
            await one.next()
        figures = await flux[2].rpc("kvs-watch.stats-get")
        assert (figures["watchers"], figures["namespace-count"]) == (3, 1)
        assert figures["namespaces"]["primary"]["rootseq"] == 1
        flux[2].leave(seen[0].face)
        await seen[1].stop()
        await commit(flux, 0, op("a", b"2"))
        assert await seen[2].next() == b"2"
        assert (await flux[2].rpc("kvs-watch.stats-get"))["watchers"] == 1
        await seen[2].stop()
        assert (await flux[2].rpc("kvs-watch.stats-get")) == {"watchers": 0, "namespace-count": 0, "namespaces": {}}

    play(scenario)


def test_a_commit_makes_those_look_whom_it_names() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, *(op(f"k{n}", b"1") for n in range(200)))
        seen = [Seen(flux, 0, f"k{n}", WATCH) for n in range(200)]
        for one in seen:
            await one.next()
        watch = module(flux, 0)
        before = watch.sent[0]
        await commit(flux, 0, op("k7", b"2"), op("k9", b"2"), op("elsewhere", b"2"))
        assert (await seen[7].next(), await seen[9].next()) == (b"2", b"2")
        assert watch.sent[0] - before == 2

    play(scenario, size=1)
