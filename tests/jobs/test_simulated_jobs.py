"""The job system in simulated instances, with jobs that run nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from errno import EINVAL, ENOENT, EPERM
from typing import Any

import pytest

from flux.base.idset import IDset
from flux.base.rset import ResourceSet
from flux.testing.network import ROUGH
from flux.testing.sim import SimInstance, simulate
from flux.wire.message import USER
from tests.jobs.mock import MODULES, check, drained, events, jobspec, signed, submit, until

Scenario = Callable[[SimInstance], Awaitable[None]]


def play(scenario: Scenario, size: int = 3, seed: int = 0, **how: Any) -> None:
    simulate(scenario, size, seed, **({"modules": MODULES, "weather": ROUGH} | how))


async def refusal(asked: Awaitable[Any]) -> OSError:
    with pytest.raises(OSError, match=r".") as caught:
        await asked
    return caught.value


@pytest.mark.parametrize("seed", range(5))
def test_jobs_from_all_ranks_come_to_their_ends(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        async def user(rank: int) -> list[int]:
            return [await submit(flux[rank], jobspec("3s", flux.random.randrange(1, 5))) for _ in range(10)]

        ids = [id for some in await asyncio.gather(*map(user, range(flux.size))) for id in some]
        assert len(set(ids)) == 10 * flux.size
        await drained(flux)
        for id in ids:
            assert not check(await events(flux, id))
        told = await flux[0].rpc("job-list.job-stats", {})
        assert told["job_states"]["inactive"] == told["successful"] == len(ids)
        status = await flux[0].rpc("resource.sched-status")
        assert not ResourceSet.parse(status["allocated"])

    play(scenario, seed=seed)


def test_no_more_runs_than_there_is_room_for() -> None:
    async def scenario(flux: SimInstance) -> None:
        ids = [await submit(flux[0], jobspec("10s", slots=3)) for _ in range(6)]
        await drained(flux)
        running: list[tuple[float, int]] = []
        for id in ids:
            log = await events(flux, id)
            begun = next(event["timestamp"] for event in log if event["name"] == "alloc")
            ended = next(event["timestamp"] for event in log if event["name"] == "free")
            running += [(begun, 3), (ended, -3)]
        cores = most = 0
        for _, change in sorted(running):
            cores += change
            most = max(most, cores)
        assert 6 <= most <= 8  # two brokers of four cores

    play(scenario, size=2)


def test_a_job_can_be_watched_listed_and_looked_into() -> None:
    async def scenario(flux: SimInstance) -> None:
        id = await submit(flux[1], jobspec("5s", slots=2, job={"name": "a name"}))
        await until(flux, id, "start")
        listed = await flux[2].rpc("job-list.list-id", {"id": id, "attrs": ["all"]})
        job = listed["job"]
        assert (job["name"], job["ntasks"], job["ncores"], job["state"]) == ("a name", 2, 2, 16)
        await until(flux, id, "clean")
        found = await flux[2].rpc("job-info.lookup", {"id": id, "keys": ["R", "jobspec"], "flags": 1})
        assert ResourceSet.parse(found["R"]).count("core") == 2
        ended = (await flux[0].rpc("job-list.list-id", {"id": id, "attrs": ["result", "success"], "state": 64}))["job"]
        assert ended == {"id": id, "result": 1, "success": True}
        assert (await refusal(flux[0].rpc("job-list.list-id", {"id": 77, "attrs": []}))).errno == ENOENT
        done = await until(flux, id, "done", "guest.exec.eventlog")
        assert done["name"] == "done"

    play(scenario)


def test_what_is_wrong_with_a_submission_is_said() -> None:
    async def scenario(flux: SimInstance) -> None:
        for spec, text in (
            (jobspec() | {"tasks": []}, "tasks: 0 of them, not one"),
            (jobspec(slots=100), "unsatisfiable request: 100 slots of 1 core, but there are 3 nodes, 12 cores"),
            (jobspec(nodes=4), "unsatisfiable request: 4 nodes"),
            (jobspec(queue="nosuch"), "Invalid queue 'nosuch' specified"),
            (jobspec(dependencies=[{"scheme": "afterok", "value": "1"}]), "afterok: id 1: No such file"),
        ):
            error = await refusal(submit(flux[1], spec))
            assert error.errno == EINVAL and text in str(error)
        assert (await flux[0].rpc("job-manager.list", {"max_entries": 0})) == {"jobs": []}
        assert (await refusal(flux[0].rpc("kvs.lookup", {"key": "job", "flags": 1, "namespace": "x"}))).errno

    play(scenario)


def test_guests_do_only_what_they_may() -> None:
    async def scenario(flux: SimInstance) -> None:
        mine = await submit(flux[0], jobspec("60s"))
        guest = flux[1].client(4242, USER)
        asked = {"J": signed(jobspec("60s"), 4242), "urgency": 16, "flags": 0}
        theirs = (await guest.rpc("job-ingest.submit", asked))["id"]
        for payload in (asked | {"urgency": 31}, asked | {"flags": 4}, asked | {"J": signed(jobspec(), 1)}):
            assert (await refusal(guest.rpc("job-ingest.submit", payload))).errno in (EINVAL, EPERM)
        cancel = {"severity": 0, "type": "cancel", "note": ""}
        assert (await refusal(guest.rpc("job-manager.raise", {"id": mine, **cancel}))).errno == EPERM
        assert (await refusal(guest.rpc("job-manager.kill", {"id": mine, "signum": 9}))).errno == EPERM
        assert (await refusal(guest.rpc("job-manager.getattr", {"id": mine, "attrs": ["R"]}))).errno == EPERM
        assert (await refusal(guest.rpc("job-info.lookup", {"id": mine, "keys": ["R"]}))).errno == EPERM
        assert (await refusal(guest.rpc("job-manager.urgency", {"id": theirs, "urgency": 31}))).errno == EPERM
        await guest.rpc("job-manager.raise", {"id": theirs, **cancel})
        await flux[0].rpc("job-manager.raise", {"id": mine, **cancel})
        await drained(flux)
        assert [event["name"] for event in await events(flux, theirs)][-5:-3] == ["exception", "finish"]

    play(scenario)


def test_a_drained_rank_gets_no_jobs_until_it_is_undrained() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux[0].rpc("resource.drain", {"targets": "0,2", "reason": "broken"})
        told = await flux[1].rpc("resource.status", {}, nodeid=0)
        assert list(told["drain"]) == ["0,2"] and told["drain"]["0,2"]["reason"] == "broken"
        id = await submit(flux[0], jobspec(slots=4))
        await until(flux, id, "clean")
        found = await flux[0].rpc("job-info.lookup", {"id": id, "keys": ["R"], "flags": 1})
        assert list(ResourceSet.parse(found["R"]).ranks) == [1]
        waits = await submit(flux[0], jobspec(nodes=2))
        await asyncio.sleep(5)
        assert (await flux[0].rpc("sched.explain", {"id": waits}))["waits"]
        await flux[0].rpc("resource.undrain", {"targets": "2"})
        await until(flux, waits, "clean")
        assert (await refusal(flux[0].rpc("resource.undrain", {"targets": "1"}))).errno == EINVAL
        assert (await refusal(flux[0].rpc("resource.drain", {"targets": "9"}))).errno == EINVAL

    play(scenario)


def test_a_broker_that_dies_takes_no_new_jobs_and_its_place_is_taken_when_it_is_back() -> None:
    async def scenario(flux: SimInstance) -> None:
        flux.kill(2)
        await asyncio.sleep(30)
        online = (await flux[0].rpc("resource.status"))["online"]
        assert IDset(online) == IDset("0-1")
        id = await submit(flux[0], jobspec(nodes=3))
        await asyncio.sleep(5)
        assert "alloc" not in [event["name"] for event in await events(flux, id)]
        flux.rejoin(2)
        await until(flux, id, "clean")

    play(scenario)


def test_the_scheduler_may_be_replaced_while_jobs_wait_and_run() -> None:
    async def scenario(flux: SimInstance) -> None:
        ids = [await submit(flux[0], jobspec("20s", slots=4)) for _ in range(6)]
        await until(flux, ids[0], "start")
        await flux[0].modules.dismiss("sched-simple")
        assert not (await flux[0].rpc("job-manager.queue-status", {}))["start"]
        await asyncio.sleep(60)
        assert (await flux[0].rpc("job-manager.alloc-query"))["running"] == 0
        await flux[0].modules.load("sched-backfill", ["policy=conservative"])
        await drained(flux)
        for id in ids:
            assert not check(await events(flux, id))

    play(scenario)


def test_what_waits_can_be_held_hurried_changed_and_cancelled() -> None:
    async def scenario(flux: SimInstance) -> None:
        first = await submit(flux[0], jobspec("30s", slots=4))
        ids = [await submit(flux[0], jobspec("1s", slots=4)) for _ in range(4)]
        manager = flux[0].rpc
        await manager("job-manager.urgency", {"id": ids[3], "urgency": 31})
        await manager("job-manager.urgency", {"id": ids[0], "urgency": 0})
        await manager("job-manager.update", {"id": ids[1], "updates": {"attributes.system.duration": 99.0}})
        told = await manager("job-manager.raiseall", _all(2, dry_run=True))
        assert told["count"] == 0
        await until(flux, ids[1], "clean")
        logs = {id: await events(flux, id) for id in ids}
        begun = {id: event["timestamp"] for id in ids for event in logs[id] if event["name"] == "alloc"}
        assert sorted(begun, key=begun.__getitem__) == [ids[3], ids[1]] or ids[2] in begun
        assert ids[0] not in begun
        assert (await manager("job-manager.raiseall", _all(14)))["count"] >= 1
        await drained(flux)
        assert check(await events(flux, first)) == ""

    play(scenario, size=1)


def _all(states: int, *, dry_run: bool = False) -> dict[str, Any]:
    return {"dry_run": dry_run, "userid": 0xFFFFFFFF, "states": states, "severity": 0, "type": "cancel"}
