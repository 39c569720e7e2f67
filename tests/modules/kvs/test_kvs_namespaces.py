"""Namespaces: stores beside the primary one, each with an owner and a root of its own."""

import errno
from typing import Any

import pytest

from flux.base import treeobj
from flux.testing.instance import SimInstance
from flux.testing.network import ROUGH
from flux.wire.message import USER
from tests.modules.kvs.test_kvs_service import STORE, op, play, refusal

GUEST = 4242


Who = tuple[int, int] | None
"""User id and roles of a guest."""
AS_GUEST = (GUEST, USER)


async def ask(flux: SimInstance, rank: int, topic: str, payload: dict[str, Any], who: Who = None) -> dict[str, Any]:
    return await flux[rank].client(*(who or ())).rpc(topic, payload)


async def create(flux: SimInstance, rank: int, name: str, owner: int = -1, rootref: str = "") -> dict[str, Any]:
    payload = {"namespace": name, "owner": owner, "flags": 0, "rootref": rootref}
    return await flux[rank].rpc("kvs.namespace-create", payload)


async def put(flux: SimInstance, rank: int, name: str, *ops: dict[str, Any], who: Who = None) -> dict[str, Any]:
    return await ask(flux, rank, "kvs.commit", {"ops": list(ops), "namespace": name, "flags": 0}, who)


async def get(flux: SimInstance, rank: int, name: str, key: str, who: Who = None) -> bytes:
    found = await ask(flux, rank, "kvs.lookup", {"key": key, "flags": 0, "namespace": name}, who)
    return treeobj.value_of(found["val"])


async def relay(flux: SimInstance, payload: dict[str, Any]) -> None:
    flux[2].client().notify("kvs.relaycommit", payload, nodeid=0)


@pytest.mark.parametrize("seed", range(5))
def test_a_namespace_is_a_store_of_its_own_on_all_ranks(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        await create(flux, 2, "ns")
        await put(flux, 1, "ns", op("a", b"mine"))
        await put(flux, 1, "primary", op("a", b"all"))
        for rank in range(3):
            assert await get(flux, rank, "primary", "a") == b"all"
        assert await get(flux, 1, "ns", "a") == b"mine"
        root = await flux[2].rpc("kvs.wait-version", {"rootseq": 1, "namespace": "ns"})
        assert root["rootseq"] == 1 and await get(flux, 2, "ns", "a") == b"mine"

    play(scenario, seed=seed, weather=ROUGH, modules=("heartbeat", *STORE))


def test_names_are_free_again_after_removal_and_not_before() -> None:
    async def scenario(flux: SimInstance) -> None:
        await create(flux, 0, "ns")
        assert (await refusal(create(flux, 1, "ns"))).errno == errno.EEXIST
        assert (await refusal(create(flux, 1, "primary"))).errno == errno.EEXIST
        await put(flux, 1, "ns", op("a", b"1"))
        await flux[2].rpc("kvs.namespace-remove", {"namespace": "ns"})
        assert (await refusal(get(flux, 2, "ns", "a"))).errno == errno.ENOTSUP
        await flux.settle()
        for rank in range(3):
            assert (await refusal(get(flux, rank, "ns", "a"))).errno == errno.ENOTSUP
            assert (await refusal(put(flux, rank, "ns", op("a", b"1")))).errno == errno.ENOTSUP
        await create(flux, 1, "ns")
        assert (await refusal(get(flux, 1, "ns", "a"))).errno == errno.ENOENT
        await flux[1].rpc("kvs.namespace-remove", {"namespace": "never was"})
        assert (await refusal(flux[1].rpc("kvs.namespace-remove", {"namespace": "primary"}))).errno == errno.ENOTSUP

    play(scenario)


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 256])
def test_what_cannot_be_told_of_in_an_event_is_no_name(name: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        assert (await refusal(create(flux, 1, name))).errno == errno.EINVAL

    play(scenario)


def test_a_guest_has_what_is_theirs_and_nothing_else() -> None:
    async def scenario(flux: SimInstance) -> None:
        await create(flux, 0, "theirs", owner=GUEST)
        await create(flux, 0, "ours")
        await put(flux, 2, "theirs", op("a", b"1"), who=AS_GUEST)
        assert await get(flux, 2, "theirs", "a", who=AS_GUEST) == b"1"
        for name in ("ours", "primary"):
            assert (await refusal(put(flux, 2, name, op("a", b"1"), who=AS_GUEST))).errno == errno.EPERM
            assert (await refusal(get(flux, 2, name, "a", who=AS_GUEST))).errno == errno.EPERM
        for topic in ("kvs.namespace-create", "kvs.namespace-remove", "kvs.namespace-list", "kvs.relaycommit"):
            assert (await refusal(ask(flux, 2, topic, {}, AS_GUEST))).errno == errno.EPERM
        assert (await refusal(get(flux, 1, "theirs", "a", who=(1, USER)))).errno == errno.EPERM
        assert await get(flux, 1, "theirs", "a") == b"1", "the instance's owner may all"

    play(scenario)


def test_a_namespace_begins_with_the_root_it_is_given() -> None:
    async def scenario(flux: SimInstance) -> None:
        root = await put(flux, 1, "primary", op("a.b", b"1"))
        await create(flux, 1, "copy", rootref=root["rootref"])
        await put(flux, 1, "primary", op("a.b", b"2"))
        assert await get(flux, 2, "copy", "a.b") == b"1"
        assert (await refusal(create(flux, 1, "bad", rootref="sha1-0"))).errno == errno.EINVAL

    play(scenario)


def test_all_ranks_list_the_same_namespaces() -> None:
    async def scenario(flux: SimInstance) -> None:
        await create(flux, 1, "ns", owner=GUEST)
        for rank in range(3):
            listed = (await flux[rank].rpc("kvs.namespace-list"))["namespaces"]
            assert [one["namespace"] for one in listed] == ["primary", "ns"]
            assert listed[1]["owner"] == GUEST

    play(scenario)


def test_who_waits_for_a_version_hears_that_the_namespace_is_gone() -> None:
    async def scenario(flux: SimInstance) -> None:
        await create(flux, 0, "ns")
        waiting = [
            flux.loop.create_task(flux[rank].rpc("kvs.wait-version", {"rootseq": 9, "namespace": "ns"}))
            for rank in range(3)
        ]
        await flux.settle()
        await flux[0].rpc("kvs.namespace-remove", {"namespace": "ns"})
        for one in waiting:
            assert (await refusal(one)).errno == errno.ENOTSUP

    play(scenario)


def test_a_relayed_commit_is_answered_by_the_event_that_has_its_name() -> None:
    async def scenario(flux: SimInstance) -> None:
        heard = flux[2].client().listen("kvs.namespace-primary-")
        payload = {"ops": [op("a", b"1")], "name": "mine.1", "namespace": "primary", "flags": 0}
        await relay(flux, payload)
        event = await heard.get()
        assert event.topic == "kvs.namespace-primary-setroot" and event.body()["names"] == ["mine.1"]
        bad = {"ops": [op(".", b"1")], "name": "mine.2", "namespace": "primary", "flags": 0}
        await relay(flux, bad)
        event = await heard.get()
        assert event.topic == "kvs.namespace-primary-error"
        assert (event.body()["names"], event.body()["errnum"]) == (["mine.2"], errno.EINVAL)

    play(scenario)


def test_a_paused_view_stays_as_it_is() -> None:
    async def scenario(flux: SimInstance) -> None:
        await put(flux, 1, "primary", op("a", b"1"))
        await flux[1].rpc("kvs.setroot-pause", {"namespace": "primary"})
        await put(flux, 2, "primary", op("a", b"2"))
        await flux.settle()
        assert await get(flux, 1, "primary", "a") == b"1"
        await flux[1].rpc("kvs.setroot-unpause", {"namespace": "primary"})
        assert await get(flux, 1, "primary", "a") == b"2"

    play(scenario)
