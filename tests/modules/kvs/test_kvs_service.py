"""kvs in simulated sessions: one store seen from all ranks, in any weather."""

import asyncio
import errno
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from flux.base import treeobj
from flux.modules.kvs.committer import BURST, LAZILY
from flux.modules.kvs.lookup import READDIR, TREEOBJ
from flux.modules.kvs.service import KVS
from flux.modules.kvs.transaction import APPEND, LAZY, NO_MERGE, SYNC
from flux.testing.instance import SimInstance, simulate
from flux.testing.network import ROUGH, Weather
from flux.wire.framing import Unpacker
from flux.wire.message import USER, Event, Response

STORE = ("content", "content-memory", "kvs")
TRANSCRIPTS = Path(__file__).parents[2] / "vectors" / "transcripts"
EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"
Scenario = Callable[[SimInstance], Awaitable[None]]


def play(scenario: Scenario, size: int = 3, **how: Any) -> None:
    simulate(scenario, size, **({"modules": STORE} | how))


def op(key: str, value: bytes | None, flags: int = 0) -> dict[str, Any]:
    return {"key": key, "flags": flags, "dirent": None if value is None else treeobj.val(value)}


async def commit(flux: SimInstance, rank: int, *ops: dict[str, Any], flags: int = 0) -> dict[str, Any]:
    return await flux[rank].rpc("kvs.commit", {"ops": list(ops), "namespace": "primary", "flags": flags})


async def look(flux: SimInstance, rank: int, key: str, flags: int = 0, **more: Any) -> dict[str, Any]:
    payload = {"key": key, "flags": flags, "namespace": "primary"} | more
    return (await flux[rank].rpc("kvs.lookup", payload))["val"]  # type: ignore[no-any-return]


async def get(flux: SimInstance, rank: int, key: str) -> bytes:
    return treeobj.value_of(await look(flux, rank, key))


async def refusal(asked: Awaitable[Any]) -> OSError:
    with pytest.raises(OSError, match=r".") as caught:
        await asked
    return caught.value


# -- one store ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_whoever_commits_reads_it_on_their_own_rank_at_once(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        async def writer(rank: int) -> None:
            for n in range(5):
                await asyncio.sleep(flux.random.random() * 0.02)
                value = b"%d" % n * (1 + 99 * (n % 2))
                await commit(flux, rank, op(f"a.{rank}.{n % 3}", value))
                assert await get(flux, rank, f"a.{rank}.{n % 3}") == value

        await asyncio.gather(*map(writer, range(flux.size)))
        last = (await flux[0].rpc("kvs.getroot", {"namespace": "primary"}))["rootseq"]
        for rank in range(flux.size):
            assert (await flux[rank].rpc("kvs.wait-version", {"rootseq": last, "namespace": "primary"}))[
                "rootseq"
            ] == last
            assert set((await look(flux, rank, "a", READDIR))["data"]) == {str(rank) for rank in range(flux.size)}

    play(scenario, 7, seed=seed, weather=ROUGH, modules=("heartbeat", *STORE))


def test_an_empty_store_has_the_root_that_everybody_knows() -> None:
    async def scenario(flux: SimInstance) -> None:
        for rank in range(3):
            root = await flux[rank].rpc("kvs.getroot", {"namespace": "primary", "flags": 0})
            assert (root["rootref"], root["rootseq"], root["namespace"], root["flags"]) == (EMPTY, 0, "primary", 0)
            assert await look(flux, rank, ".", READDIR) == treeobj.directory()

    play(scenario)


def test_commits_of_one_turn_make_one_root() -> None:
    async def scenario(flux: SimInstance) -> None:
        events = flux[2].client().listen("kvs.namespace-primary-setroot")
        answers = await asyncio.gather(*(commit(flux, 0, op(f"k{n}", b"1")) for n in range(10)))
        assert [answer["rootseq"] for answer in answers] == [1] * 10
        event: Event = await events.get()
        told = event.body()
        assert len(told["names"]) == 10 and set(told["keys"]) == {f"k{n}" for n in range(10)}
        assert (told["rootseq"], told["rootref"]) == (1, answers[0]["rootref"])

    play(scenario)


def test_a_commit_that_must_not_be_merged_has_a_root_of_its_own() -> None:
    async def scenario(flux: SimInstance) -> None:
        flags = [0, 0, NO_MERGE, 0, 0, NO_MERGE, NO_MERGE]
        answers = await asyncio.gather(*(commit(flux, 0, op("k", b"%d" % n), flags=f) for n, f in enumerate(flags)))
        assert [answer["rootseq"] for answer in answers] == [1, 1, 2, 3, 3, 4, 5]
        assert await get(flux, 0, "k") == b"6"

    play(scenario, size=1)


def test_a_lazy_commit_after_others_shares_the_root_of_the_next_one_and_waits_a_moment_only() -> None:
    async def scenario(flux: SimInstance) -> None:
        begun = flux.now()
        for _ in range(BURST):
            await commit(flux, 0, op("first", b"1"), flags=LAZY)
        assert flux.now() - begun < LAZILY, "the first ones do not wait"
        lazy = asyncio.ensure_future(commit(flux, 0, op("a", b"1"), flags=LAZY))
        await asyncio.sleep(LAZILY / 2)
        assert not lazy.done()
        shared = await commit(flux, 0, op("b", b"2"))
        assert await lazy == shared
        begun = flux.now()
        assert (await commit(flux, 0, op("a", b"3"), flags=LAZY))["rootseq"] == shared["rootseq"] + 1
        assert flux.now() - begun < 2 * LAZILY

    play(scenario)


def test_a_commit_that_is_refused_does_not_harm_those_it_was_merged_with() -> None:
    async def scenario(flux: SimInstance) -> None:
        asked = [
            commit(flux, 0, op("good", b"1")),
            commit(flux, 0, op("gone", b"1"), op(".", b"1")),
            commit(flux, 0, op("good.not", b"1"), op("good", b"2", APPEND)),
            commit(flux, 0, op("good", b"3", APPEND)),
        ]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        errors = [answer.errno if isinstance(answer, OSError) else 0 for answer in answers]
        assert errors == [0, errno.EINVAL, errno.EISDIR, 0]
        assert await get(flux, 0, "good") == b"13"
        assert (await refusal(look(flux, 0, "gone"))).errno == errno.ENOENT

    play(scenario, size=1)


def test_a_commit_without_operations_is_a_new_version_of_the_same_root() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert await commit(flux, 1) == {"rootref": EMPTY, "rootseq": 1}
        stats = await flux[0].rpc("kvs.stats-get")
        assert stats["namespace"]["primary"]["#no-op stores"] == 1

    play(scenario)


def test_a_payload_that_is_no_commit_is_refused_wherever_it_came_from() -> None:
    async def scenario(flux: SimInstance) -> None:
        for rank in (0, 2):
            for payload in (
                {},
                {"ops": 1, "namespace": "primary", "flags": 0},
                {"ops": [1], "namespace": "x", "flags": 0},
            ):
                assert (await refusal(flux[rank].rpc("kvs.commit", payload))).errno == errno.EPROTO

    play(scenario)


# -- what is not at hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["0", "300", "32M"])
def test_a_small_cache_costs_time_and_nothing_else(limit: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        for n in range(20):
            await commit(flux, n % 3, op(f"d{n % 4}.e{n % 3}.{n}", b"x" * 10 * n), op("log", b"%d," % n, APPEND))
        for n in range(20):
            assert await get(flux, n % 2, f"d{n % 4}.e{n % 3}.{n}") == b"x" * 10 * n
        assert await get(flux, 2, "log") == b"".join(b"%d," % n for n in range(20))
        assert (await flux[0].rpc("kvs.stats-get"))["cache"]["#faults"] >= (20 if limit == "0" else 0)

    play(scenario, settings={"kvs.cache-limit": limit, "content.cache-limit": limit})


def test_merged_commits_that_lack_directories_still_fail_each_on_its_own() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("d.x", b"1"), op("e.x", b"1"))
        asked = [
            commit(flux, 0, op("e", None), op("d.y", b"1")),
            commit(flux, 0, op("e", b"2", APPEND)),
            commit(flux, 0, op("d", b"2", APPEND)),
        ]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [getattr(answer, "errno", 0) for answer in answers] == [0, 0, errno.EISDIR]
        assert await get(flux, 0, "e") == b"2"

    play(scenario, size=1, settings={"kvs.cache-limit": "0"})


def test_a_store_that_is_full_refuses_commits_and_goes_on() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 1, op("a", b"1"))
        error = await refusal(commit(flux, 1, op("b", b"x" * 2000)))
        assert error.errno == errno.ENOSPC and "content store is full" in str(error.strerror)
        assert await get(flux, 2, "a") == b"1"
        assert (await commit(flux, 2, op("a", b"2")))["rootseq"] == 2
        assert (await refusal(look(flux, 0, "b"))).errno == errno.ENOENT

    play(scenario, settings={"content.memory-limit": "1000"})


def test_a_reference_to_what_is_no_directory_is_einval_and_to_nothing_enoent() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("big", b"x" * 100))
        ref = (await look(flux, 0, "big", TREEOBJ))["data"][0]
        for rank in (0, 2):
            assert (await refusal(look(flux, rank, "a", rootdir=treeobj.dirref(ref)))).errno == errno.EINVAL
            lost = treeobj.dirref("sha1-" + "0" * 40)
            assert (await refusal(look(flux, rank, "a", rootdir=lost))).errno == errno.ENOENT
            for wrong in ({}, treeobj.val(b""), 1):
                assert (await refusal(look(flux, rank, "a", rootdir=wrong))).errno == errno.EINVAL

    play(scenario)


def test_an_old_snapshot_stays_as_it_was() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a.b", b"1"))
        then = await look(flux, 0, ".", TREEOBJ)
        inner = await look(flux, 0, "a", TREEOBJ)
        await commit(flux, 0, op("a.b", b"2"))
        for rank in range(3):
            assert await look(flux, rank, "a.b", rootdir=then, rootseq=1) == treeobj.val(b"1")
            assert await look(flux, rank, "b", rootdir=inner) == treeobj.val(b"1")
            payload = {"key": "a.b", "flags": 0, "rootdir": then, "rootseq": 1}
            answer = await flux[rank].rpc("kvs.lookup-plus", payload)
            assert answer == {"val": treeobj.val(b"1"), "rootseq": 1, "rootref": then["data"][0]}

    play(scenario)


# -- answers -----------------------------------------------------------------------------------------------------------


def test_lookup_plus_says_that_there_is_nothing_and_where_it_looked() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 1, op("a", b"1"))
        for rank in (0, 1):
            answer = await flux[rank].rpc("kvs.lookup-plus", {"key": "b", "flags": 0, "namespace": "primary"})
            assert answer["errno"] == errno.ENOENT and answer["rootseq"] == 1
            error = await refusal(flux[rank].rpc("kvs.lookup-plus", {"key": ".", "flags": 0, "namespace": "primary"}))
            assert error.errno == errno.EISDIR

    play(scenario)


def test_a_namespace_that_is_not_there_is_enotsup_on_every_rank() -> None:
    async def scenario(flux: SimInstance) -> None:
        for rank in range(3):
            where = {"namespace": "nowhere"}
            for topic, payload in (
                ("kvs.lookup", {"key": "a", "flags": 0}),
                ("kvs.lookup-plus", {"key": "a", "flags": 0}),
                ("kvs.getroot", {}),
                ("kvs.wait-version", {"rootseq": 0}),
                ("kvs.commit", {"ops": [], "flags": 0}),
            ):
                assert (await refusal(flux[rank].rpc(topic, payload | where))).errno == errno.ENOTSUP
            assert (await refusal(flux[rank].rpc("kvs.lookup", {"key": "a", "flags": 0}))).errno == errno.EPROTO
        await commit(flux, 2, {"key": "l", "flags": 0, "dirent": treeobj.symlink("a", "nowhere")}, op("a", b"1"))
        await commit(flux, 2, {"key": "m", "flags": 0, "dirent": treeobj.symlink("a", "primary")})
        for rank in range(3):
            assert (await refusal(look(flux, rank, "l"))).errno == errno.ENOTSUP
            assert await get(flux, rank, "m") == b"1"

    play(scenario)


def test_the_primary_namespace_is_the_owners_alone() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a", b"1"))
        for rank in (0, 2):
            for topic, payload in (
                ("kvs.lookup", {"key": "a", "flags": 0, "namespace": "primary"}),
                ("kvs.getroot", {"namespace": "primary"}),
                ("kvs.commit", {"ops": [op("a", b"2")], "namespace": "primary", "flags": 0}),
            ):
                assert await guest(flux, rank, topic, payload) == errno.EPERM
            link = {"key": "l", "flags": 0, "dirent": treeobj.symlink("a")}
            payload = {"ops": [link], "namespace": "primary", "flags": 0}
            assert await guest(flux, rank, "kvs.commit", payload) == errno.EPERM
            assert await guest(flux, rank, "kvs.namespace-list", {}) == errno.EPERM

    async def guest(flux: SimInstance, rank: int, topic: str, payload: dict[str, Any]) -> int:
        face = flux[rank].client()
        answer: asyncio.Future[Response] = flux.loop.create_future()
        signed = face.send

        def unsigned(msg: Any) -> None:
            msg.userid, msg.rolemask = 4242, USER
            signed(msg)

        face.send = unsigned  # type: ignore[method-assign]
        face.send_request(topic, payload, answer.set_result)
        return (await answer).errnum

    play(scenario)


def test_waiting_for_a_version_ends_when_it_is_there_or_the_waiter_is_not() -> None:
    async def scenario(flux: SimInstance) -> None:
        faces = [flux[2].client() for _ in range(2)]
        waits = [
            asyncio.ensure_future(face.rpc("kvs.wait-version", {"rootseq": 2, "namespace": "primary"}))
            for face in faces
        ]
        await commit(flux, 0, op("a", b"1"))
        assert not any(wait.done() for wait in waits)
        kvs = next(service for service in flux[2].broker.services.values() if isinstance(service, KVS))
        root = kvs.roots.find("primary")
        assert root is not None and root.waiters == 2
        flux[2].leave(faces[1])
        await commit(flux, 1, op("a", b"2"))
        assert (await waits[0])["rootseq"] == 2
        assert root.waiters == 0
        waits[1].cancel()

    play(scenario)


def test_sync_answers_when_the_backing_store_remembers_the_root() -> None:
    async def scenario(flux: SimInstance) -> None:
        answer = await commit(flux, 2, op("a", b"1"), flags=SYNC)
        latest = (await flux[1].rpc("content.checkpoint-get"))["value"][0]
        assert (latest["rootref"], latest["sequence"]) == (answer["rootref"], answer["rootseq"])
        payload = {"ops": [], "namespace": "other", "flags": SYNC}
        assert (await refusal(flux[0].rpc("kvs.commit", payload))).errno == errno.EINVAL

    play(scenario)


def test_sync_without_a_backing_store_is_refused_and_the_root_stays() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert (await refusal(commit(flux, 0, op("a", b"1"), flags=SYNC))).errno == errno.ENOSYS
        assert (await refusal(look(flux, 0, "a"))).errno == errno.ENOENT
        assert (await commit(flux, 0, op("a", b"1")))["rootseq"] == 1

    play(scenario, size=1, modules=("content", "kvs"))


def test_the_store_outlives_its_service() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a.b", b"1"), op("big", b"x" * 100))
        await flux[0].modules.remove("kvs")
        for rank in range(3):
            assert (await refusal(commit(flux, rank, op("c", b"1")))).errno == errno.ENOSYS
        assert await get(flux, 2, "a.b") == b"1"
        await flux[0].modules.load("kvs")
        assert await get(flux, 2, "a.b") == b"1"
        assert (await commit(flux, 1, op("c", b"1")))["rootseq"] == 2
        assert await get(flux, 0, "big") == b"x" * 100

    play(scenario)


def test_without_a_content_service_the_store_is_not_loaded() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert (await refusal(flux[0].modules.load("kvs"))).errno == errno.ENOSYS

    play(scenario, size=1, modules=())


def test_a_rank_that_lost_events_asks_for_the_root_before_it_answers() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a", b"1"))
        assert await get(flux, 2, "a") == b"1"
        kvs = next(service for service in flux[2].broker.services.values() if isinstance(service, KVS))
        hear, kvs.prefixes = kvs.prefixes, {}  # type: ignore[misc]
        await commit(flux, 0, op("a", b"2"))
        await asyncio.sleep(1)
        assert await get(flux, 2, "a") == b"1"
        kvs.prefixes = hear  # type: ignore[misc]
        kvs.events_lost()
        assert await get(flux, 2, "a") == b"2"

    play(scenario, weather=Weather(tree=(0.001, 0.01)))


def test_a_mistake_of_ours_costs_one_commit_and_not_the_store() -> None:
    async def scenario(flux: SimInstance) -> None:
        broken = {"key": "a", "flags": 0, "dirent": treeobj.symlink("\ud800")}
        assert (await refusal(commit(flux, 0, broken))).errno == errno.EIO
        assert (await commit(flux, 0, op("a", b"1")))["rootseq"] == 1
        assert any("Traceback" in line for line in flux.stderr)
        flux.stderr.clear()  # it was meant: no other simulation may end with one

    play(scenario, size=1)


def test_a_root_that_a_guest_makes_up_is_nobodys() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 1, op("a", b"1"))
        forged = {"namespace": "primary", "rootref": EMPTY, "rootseq": 99, "owner": 0, "names": [], "keys": {}}
        face = flux[1].client()
        heard = face.listen("kvs.")
        face.send(Event(userid=4242, rolemask=USER, topic="kvs.namespace-primary-setroot", data=forged))
        await heard.get()
        for rank in range(3):
            assert await get(flux, rank, "a") == b"1"

    play(scenario)


def test_namespaces_are_listed() -> None:
    async def scenario(flux: SimInstance) -> None:
        listed = (await flux[0].rpc("kvs.namespace-list"))["namespaces"]
        assert [(one["namespace"], one["flags"]) for one in listed] == [("primary", 0)]

    play(scenario, size=1)


def test_figures_count_operations() -> None:
    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a", b"1"), op("b", b"1"))
        await commit(flux, 0, op("a", b"1"), op("b", b"1"), op("c", b"1"), op("d", b"1"))
        stats = await flux[0].rpc("kvs.stats-get")
        figures = stats["transaction-opcount"]["commit"]
        assert [figures[key] for key in ("count", "min", "mean", "max")] == [2, 2, 3.0, 4]
        assert stats["namespace"]["primary"]["store revision"] == 2 and stats["pending_requests"] == 0
        await flux[0].rpc("kvs.stats-clear")
        assert (await flux[0].rpc("kvs.stats-get"))["transaction-opcount"]["commit"]["count"] == 0

    play(scenario, size=1)


# -- recorded ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kvs-put", "kvs-get", "kvs-get-missing", "kvs-getroot"])
def test_a_recorded_client_gets_the_answers_that_it_got(name: str) -> None:
    records = json.loads((TRANSCRIPTS / f"{name}.json").read_text())["stream"]

    def read(side: str) -> list[Any]:
        return Unpacker().feed(
            b"".join(bytes.fromhex(r["hex"]) for r in records if r["from"] == side and r["hex"] != "00")
        )

    async def scenario(flux: SimInstance) -> None:
        await commit(flux, 0, op("a.c", b"hello world"))
        for asked, expected in zip(read("client"), read("broker"), strict=True):
            answer: asyncio.Future[Response] = flux.loop.create_future()
            flux[2].client().send_request(asked.topic, asked.data, answer.set_result, nodeid=asked.nodeid)
            got = await answer
            assert (got.topic, got.errnum, got.flags) == (expected.topic, expected.errnum, expected.flags)
            assert (got.payload() is None) == (expected.payload() is None)
            differs = {"rootref", "rootseq", "owner"}
            assert {k: v for k, v in got.body().items() if k not in differs} == {
                k: v for k, v in expected.body().items() if k not in differs
            }
            assert got.body().keys() == expected.body().keys()

    play(scenario)
