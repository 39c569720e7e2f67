"""content and content-memory in simulated sessions."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from hashlib import sha1, sha256
from typing import Any

import pytest

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.service import Call, Service, request
from flux.testing.instance import SIMULATED, SimInstance, simulate
from flux.testing.network import ROUGH

BOTH = ("content", "content-memory")
Scenario = Callable[[SimInstance], Awaitable[None]]


def play(scenario: Scenario, size: int = 3, **how: Any) -> None:
    simulate(scenario, size, **({"modules": BOTH} | how))


async def ask(flux: SimInstance, rank: int, topic: str, data: Any = None) -> bytes:
    return (await flux[rank].client().ask(topic, data)).payload() or b""


async def refusal(asked: Awaitable[Any]) -> OSError:
    with pytest.raises(OSError, match=r".") as caught:
        await asked
    return caught.value


@pytest.mark.parametrize("seed", range(5))
def test_what_one_rank_stores_every_rank_loads(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        digest = await ask(flux, 6, "content.store", b"hello")
        assert digest == sha1(b"hello").digest()
        for rank in range(flux.size):
            assert await ask(flux, rank, "content.load", digest) == b"hello"

    play(scenario, 7, seed=seed, weather=ROUGH, modules=("heartbeat", *BOTH))


def test_the_empty_blob_is_a_blob() -> None:
    async def scenario(flux: SimInstance) -> None:
        digest = await ask(flux, 1, "content.store", b"")
        response = await flux[2].client().ask("content.load", digest)
        assert response.payload() is None and response.errnum == 0

    play(scenario)


def test_a_blob_is_asked_for_once_per_broker_whoever_wants_it() -> None:
    async def scenario(flux: SimInstance) -> None:
        digest = await ask(flux, 0, "content.store", b"popular")
        before = [await stats(flux, rank) for rank in (0, 1)]
        loads = [ask(flux, rank, "content.load", digest) for rank in (3, 4) for _ in range(10)]
        assert await asyncio.gather(*loads) == [b"popular"] * 20
        after = [await stats(flux, rank) for rank in (0, 1)]
        assert [b - a for a, b in zip(before, after, strict=True)] == [1 + 1, 2 + 1]

    async def stats(flux: SimInstance, rank: int) -> int:
        broker = flux[rank].broker
        content = next(service for service in broker.services.values() if service.name == "content")
        await ask(flux, rank, "content.stats-get")
        return content.received[0]

    play(scenario, 5)


def test_what_nobody_has_is_enoent_everywhere() -> None:
    async def scenario(flux: SimInstance) -> None:
        for rank in range(flux.size):
            assert (await refusal(ask(flux, rank, "content.load", bytes(20)))).errno == errno.ENOENT
            assert (await refusal(ask(flux, rank, "content.load", b"short"))).errno == errno.EPROTO

    play(scenario)


def test_the_hash_is_an_attribute() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert await ask(flux, 2, "content.store", b"x") == sha256(b"x").digest()

    play(scenario, settings={"content.hash": "sha256"})


def test_blobs_over_the_limit_are_refused() -> None:
    async def scenario(flux: SimInstance) -> None:
        await ask(flux, 1, "content.store", b"x" * 10)
        error = await refusal(ask(flux, 1, "content.store", b"x" * 11))
        assert error.errno == errno.EFBIG and "content.blob-size-limit" in str(error.strerror)

    play(scenario, settings={"content.blob-size-limit": "10"})


def test_a_full_store_says_so_to_whoever_stores() -> None:
    async def scenario(flux: SimInstance) -> None:
        await ask(flux, 2, "content.store", b"x" * 8)
        error = await refusal(ask(flux, 2, "content.store", b"y" * 8))
        assert error.errno == errno.ENOSPC and "content store is full" in str(error.strerror)
        assert (await refusal(ask(flux, 0, "content.load", sha1(b"y" * 8).digest()))).errno == errno.ENOENT
        assert await ask(flux, 1, "content.load", sha1(b"x" * 8).digest()) == b"x" * 8

    play(scenario, settings={"content.memory-limit": "10"})


def test_without_a_backing_store_rank_0_keeps_what_fits() -> None:
    async def scenario(flux: SimInstance) -> None:
        digest = await ask(flux, 2, "content.store", b"x" * 8)
        await ask(flux, 2, "content.store", b"x" * 8)
        assert (await refusal(ask(flux, 1, "content.store", b"y" * 8))).errno == errno.ENOSPC
        assert (await refusal(ask(flux, 0, "content.flush"))).errno == errno.ENOSYS
        assert (await refusal(ask(flux, 2, "content.checkpoint-get"))).errno == errno.ENOSYS
        await ask(flux, 0, "content.dropcache")
        assert await ask(flux, 1, "content.load", digest) == b"x" * 8

    play(scenario, modules=("content",), settings={"content.dirty-limit": "10"})


def test_a_cache_over_its_limit_forgets_and_asks_again() -> None:
    async def scenario(flux: SimInstance) -> None:
        digests = [await ask(flux, 2, "content.store", bytes([n]) * 10) for n in range(10)]
        assert (await flux[2].rpc("content.stats-get"))["size"] <= 25
        for n, digest in enumerate(digests):
            assert await ask(flux, 2, "content.load", digest) == bytes([n]) * 10

    play(scenario, settings={"content.cache-limit": "25"})


def test_what_was_stored_before_the_backing_store_came_goes_there() -> None:
    async def scenario(flux: SimInstance) -> None:
        digest = await ask(flux, 1, "content.store", b"early")
        assert (await flux[0].rpc("content.stats-get"))["dirty"] == 1
        await flux[0].modules.load("content-memory")
        await ask(flux, 1, "content.flush")
        await ask(flux, 0, "content.flush")
        assert (await flux[0].rpc("content.stats-get"))["dirty"] == 0
        assert await ask(flux, 0, "content-backing.load", digest) == b"early"
        await asyncio.sleep(1)
        await ask(flux, 0, "content-backing.validate", digest)
        assert (await refusal(ask(flux, 0, "content-backing.validate", bytes(20)))).errno == errno.ENOENT
        await flux[0].modules.remove("content-memory")

    play(scenario, modules=("content",))


def test_there_is_one_backing_store_and_it_is_on_rank_0() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert (await refusal(flux[0].rpc("content.register-backing", {"name": "b"}))).errno == errno.EBUSY
        assert (await refusal(flux[1].modules.load("content-memory"))).errno == errno.EINVAL
        assert (await refusal(flux[1].rpc("content.register-backing", {"name": "b"}))).errno == errno.EINVAL
        assert (await refusal(flux[1].rpc("content.unregister-backing"))).errno == errno.EINVAL
        assert flux[0].attributes.get("content.backing-module") == "content-memory"

    play(scenario)


def test_checkpoints_are_remembered_from_any_rank() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert (await refusal(flux[2].rpc("content.checkpoint-get"))).errno == errno.ENOENT
        for seq in (1, 2):
            value = {"version": 1, "rootref": "sha1-" + 40 * "0", "sequence": seq, "timestamp": 1.5}
            await flux[2].rpc("content.checkpoint-put", {"value": value})
        found = (await flux[1].rpc("content.checkpoint-get"))["value"]
        assert [value["sequence"] for value in found] == [2, 1]

    play(scenario)


def directory(**values: bytes) -> tuple[str, dict[str, bytes]]:
    """A directory of values: its blobref, and all blobs."""
    hashed = BlobHash()
    entries = {name: treeobj.valref([hashed.blobref(value)]) for name, value in values.items()}
    blob = treeobj.encode(treeobj.directory(entries))
    blobs = {hashed.blobref(value): value for value in (*values.values(), blob)}
    return hashed.blobref(blob), blobs


def test_the_roots_of_all_namespaces_are_kept_and_what_nothing_leads_to_is_removed() -> None:
    async def commit(flux: SimInstance, sequence: int, namespace: str, **values: bytes) -> str:
        ref, blobs = directory(**values)
        root = {"version": 1, "rootref": ref, "sequence": sequence, "timestamp": 1.5, "namespace": namespace}
        await ask(flux, 0, "content.commit", {"blobs": blobs, "root": root})
        return ref

    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 1, "primary", a=b"old")
        primary = await commit(flux, 2, "primary", a=b"new")
        mine = await commit(flux, 1, "mine", b=b"kept")
        await commit(flux, 1, "theirs", c=b"gone")
        await flux[0].rpc("content.root-remove", {"namespace": "theirs"})
        roots = (await flux[0].rpc("content.roots"))["roots"]
        assert [(root["namespace"], root["rootref"]) for root in roots] == [("primary", primary), ("mine", mine)]
        waiting = await ask(flux, 2, "content.store", b"waiting")
        for swept in (4, 0):
            (done,) = [figures async for figures in flux[0].stream("content-backing.gc")]
            assert done["swept"] == swept
        for blob in (b"new", b"kept", b"waiting"):
            assert await ask(flux, 0, "content-backing.load", sha1(blob).digest()) == blob
        assert waiting == sha1(b"waiting").digest()
        assert (await refusal(flux[1].rpc("content.roots"))).errno == errno.EINVAL

    play(scenario)


class Liar(Service):
    """A backing store with today's topics alone, that answers loads with something else."""

    name = "content-backing"

    async def start(self) -> None:
        self.stored: list[bytes] = []
        self.full = False

    async def stop(self) -> None:
        await self.rpc("content.unregister-backing")

    @request("content-backing.load", raw=True)
    def wrong(self, call: Call, *, payload: bytes) -> bytes:
        return b"something else"

    @request()
    def checkpoint_put(self, call: Call, *, value: dict[str, Any]) -> None:
        self.stored.append(b"root %d" % value["sequence"])

    @request()
    def checkpoint_get(self, call: Call) -> None:
        raise OSError(errno.EIO, "disk is broken")

    @request(raw=True)
    def store(self, call: Call, *, payload: bytes) -> bytes:
        if self.full:
            raise OSError(errno.ENOSPC, "disk is full")
        self.stored.append(payload)
        return sha1(payload).digest()


async def lie(flux: SimInstance) -> Liar:
    liar = await flux[0].modules.adopt(Liar)
    await flux[0].rpc("content.register-backing", {"name": "liar"})
    assert isinstance(liar, Liar)
    return liar


def test_a_blob_that_does_not_match_its_digest_goes_to_nobody() -> None:
    async def scenario(flux: SimInstance) -> None:
        await lie(flux)
        assert (await refusal(ask(flux, 2, "content.load", bytes(20)))).errno == errno.EIO
        await flux[0].modules.remove("content-backing")

    play(scenario, modules=("content",))


def test_a_commit_is_stored_blob_by_blob_where_the_backing_store_knows_no_commits() -> None:
    async def scenario(flux: SimInstance) -> None:
        liar = await lie(flux)
        blob = treeobj.encode(treeobj.directory())
        payload = {"blobs": {"sha1-" + sha1(blob).hexdigest(): blob}, "root": {"sequence": 7}}
        await flux[0].rpc("content.commit", payload)
        assert liar.stored == [blob, b"root 7"]
        assert (await refusal(flux[1].rpc("content.commit", payload, nodeid=1))).errno == errno.EINVAL
        liar.full = True
        assert (await refusal(flux[0].rpc("content.commit", payload))).errno == errno.ENOSPC
        await flux[0].modules.remove("content-backing")

    play(scenario, modules=("content",))


def test_a_flush_that_fails_says_why_and_loses_nothing() -> None:
    async def scenario(flux: SimInstance) -> None:
        digest = await ask(flux, 0, "content.store", b"kept")
        liar = await lie(flux)
        liar.full = True
        assert (await refusal(ask(flux, 0, "content.flush"))).errno == errno.ENOSPC
        assert await ask(flux, 2, "content.load", digest) == b"kept"
        liar.full = False
        await ask(flux, 0, "content.flush")
        assert liar.stored == [b"kept"]
        await flux[0].modules.remove("content-backing")

    play(scenario, modules=("content",))


def test_a_backing_store_that_cannot_be_read_is_no_empty_store() -> None:
    async def scenario(flux: SimInstance) -> None:
        await lie(flux)
        error = await refusal(flux[0].modules.load("kvs"))
        assert error.errno == errno.EIO and "disk is broken" in str(error.strerror)
        await flux[0].modules.remove("content-backing")

    play(scenario, size=1, modules=("content",))


@pytest.mark.parametrize(
    ("name", "value"),
    [("content.hash", "md5"), ("content.cache-limit", "much"), ("content.blob-size-limit", "-1"),
     ("content.dirty-limit", "1T")],
)  # fmt: skip
def test_settings_that_are_none_refuse_the_load_and_are_named(name: str, value: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        flux[0].attributes.set(name, value)
        error = await refusal(flux[0].modules.load("content"))
        assert error.errno == errno.EINVAL and value in str(error.strerror)

    play(scenario, size=1, modules=())


def test_a_parent_that_dies_while_a_blob_is_asked_for_is_not_noticed() -> None:
    async def scenario(flux: SimInstance) -> None:
        key = await ask(flux, 0, "content.store", b"x" * 100)
        loading = [flux.loop.create_task(ask(flux, rank, "content.load", key)) for rank in (3, 4)]
        storing = flux.loop.create_task(ask(flux, 3, "content.store", b"y"))
        await asyncio.sleep(0)
        flux.kill(1)
        assert [await one for one in loading] == [b"x" * 100] * 2
        assert await ask(flux, 0, "content.load", await storing) == b"y"

    play(scenario, 7, weather=ROUGH, topo="kary:2", modules=SIMULATED)


def test_blobs_that_nobody_asks_for_leave_the_cache_in_time() -> None:
    async def scenario(flux: SimInstance) -> None:
        key = await ask(flux, 0, "content.store", b"x" * 100)
        await flux[2].client().ask("content.load", key)
        assert (await flux[2].rpc("content.stats-get"))["count"] == 1
        await asyncio.sleep(30)
        assert (await flux[2].rpc("content.stats-get"))["count"] == 0
        assert await ask(flux, 2, "content.load", key) == b"x" * 100

    play(scenario, modules=("heartbeat", *BOTH), settings={"content.purge-old-entry": "10s"})
