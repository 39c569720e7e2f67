"""Fences: one commit of callers from all over the session."""

import asyncio
import errno
from typing import Any

import pytest

from flux.modules.kvs.fence import Share, gathered, merged, share
from flux.modules.kvs.lookup import READDIR
from flux.modules.kvs.transaction import APPEND, Op, Transaction
from flux.testing.instance import SIMULATED, SimInstance
from flux.testing.network import ROUGH
from flux.wire.message import USER
from tests.modules.kvs.test_kvs_service import STORE, get, look, op, play, refusal


def fence(flux: SimInstance, rank: int, name: str, nprocs: int, *ops: dict[str, Any], **more: Any) -> Any:
    payload = {"name": name, "nprocs": nprocs, "namespace": "primary", "flags": 0, "ops": list(ops)} | more
    return flux.loop.create_task(flux[rank].client().rpc("kvs.fence", payload))


@pytest.mark.parametrize("seed", range(10))
def test_all_callers_see_what_all_have_put(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        async def caller(n: int) -> None:
            rank = n % flux.size
            await asyncio.sleep(flux.random.random() * 0.1)
            for turn in range(3):
                root = await fence(flux, rank, f"f{turn % 2}", 14, op(f"t{turn}.k{n}", b"%d" % n), op("same", b"1"))
                assert root["rootseq"] == turn + 1
                assert len((await look(flux, rank, f"t{turn}", READDIR))["data"]) == 14

        await asyncio.gather(*map(caller, range(14)))

    play(scenario, 7, seed=seed, weather=ROUGH, modules=("heartbeat", *STORE))


def test_callers_that_disagree_are_refused_and_nothing_is_put() -> None:
    async def scenario(flux: SimInstance) -> None:
        one, two = fence(flux, 1, "f", 2, op("a", b"1")), fence(flux, 2, "f", 3, op("b", b"1"))
        assert [(await refusal(one)).errno, (await refusal(two)).errno] == [errno.EINVAL] * 2
        assert (await refusal(get(flux, 0, "a"))).errno == errno.ENOENT
        both = fence(flux, 1, "f", 2, op("a", b"1")), fence(flux, 2, "f", 2, op("b", b"1"))
        assert [(await one)["rootseq"] for one in both] == [1, 1], "the name is free again"

    play(scenario)


def test_who_leaves_breaks_the_fence_for_all() -> None:
    async def scenario(flux: SimInstance) -> None:
        face = flux[2].client()
        face.notify("kvs.fence", {})
        going = flux.loop.create_task(
            face.rpc("kvs.fence", {"name": "f", "nprocs": 3, "namespace": "primary", "flags": 0, "ops": []})
        )
        staying = fence(flux, 1, "f", 3, op("a", b"1"))
        await flux.settle()
        flux[2].leave(face)
        assert (await refusal(staying)).errno == errno.ECONNABORTED
        going.cancel()

    play(scenario)


def test_a_broker_that_dies_breaks_the_fences_of_its_callers() -> None:
    async def scenario(flux: SimInstance) -> None:
        fence(flux, 2, "f", 3, op("b", b"1")).add_done_callback(lambda task: task.exception())
        staying = fence(flux, 1, "f", 3, op("a", b"1"))
        await flux.settle()
        flux.kill(2)
        assert (await refusal(staying)).errno == errno.ECONNABORTED

    play(scenario, modules=SIMULATED)


def test_a_commit_that_is_refused_is_refused_to_all() -> None:
    async def scenario(flux: SimInstance) -> None:
        both = fence(flux, 1, "f", 2, op(".", b"1")), fence(flux, 2, "f", 2, op("b", b"1"))
        assert [(await refusal(one)).errno for one in both] == [errno.EINVAL] * 2

    play(scenario)


def test_bad_terms_are_refused_to_the_one_who_brings_them() -> None:
    async def scenario(flux: SimInstance) -> None:
        good = fence(flux, 1, "f", 2, op("a", b"1"))
        assert (await refusal(fence(flux, 1, "f", 0))).errno == errno.EINVAL
        assert (await refusal(fence(flux, 1, "f", 2, ops=[{"key": 1}]))).errno == errno.EPROTO
        assert (await refusal(fence(flux, 1, "f", 2, namespace="nowhere"))).errno == errno.ENOTSUP
        guest = {"name": "f", "nprocs": 2, "namespace": "primary", "flags": 0, "ops": []}
        assert (await refusal(flux[1].client(4242, USER).rpc("kvs.fence", guest))).errno == errno.EPERM
        await fence(flux, 2, "f", 2, op("b", b"1"))
        assert (await good)["rootseq"] == 1

    play(scenario)


def test_what_many_want_alike_is_wanted_once_but_each_append_counts() -> None:
    same, more = Op("a", 0, {"v": 1}), Op("l", APPEND, {"v": 1})
    asked = Transaction([same, more], "primary", 0)
    here = gathered(1, [share(1, 3, asked), share(1, 3, asked)])
    whole = merged([here, share(2, 3, asked)])
    assert whole.decided and whole.transaction() == Transaction([same, more, more, more], "primary", 0)
    assert merged([here, here]) == here and not here.decided, "a broker that moves is counted once"
    assert merged([]) == gathered(1, []) == Share()
