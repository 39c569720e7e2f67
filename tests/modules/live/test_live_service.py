"""`live` in simulated sessions: its settings, what it says, and what it leaves alone."""

import asyncio
from typing import Any

import pytest

from flux.modules.live.watch import Health
from flux.testing.network import ROUGH, Wall
from flux.testing.sim import SimInstance, simulate
from flux.wire.message import Event

CHAIN: dict[str, Any] = {"topo": "kary:1"}


def silence(flux: SimInstance, rank: int) -> None:
    """A broker is not heard of any more, though nothing tells its neighbours so."""
    links = flux[rank].links
    links.send = lambda link, msg, mark: None  # type: ignore[method-assign]
    links.publish = lambda msg: None  # type: ignore[method-assign]


async def states(flux: SimInstance, rank: int) -> list[int]:
    """What rank 0 hears of a rank until that has failed."""
    ear = flux[0].client()
    queue, told = ear.listen("live.cstate"), list[int]()
    while told[-1:] != [2]:
        event = await queue.get()
        assert isinstance(event, Event)
        if event.body()["rank"] == rank:
            told.append(event.body()["nstate"])
    flux[0].leave(ear)
    return told


def test_a_silent_leaf_is_slow_then_failed_and_is_sent_away() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.settle()
        begun = flux.now()
        silence(flux, 2)
        assert await states(flux, 2) == [1, 2]
        assert 10 < flux.now() - begun < 16
        assert (await flux[0].rpc("live.status"))["fail"] == [2]
        flux.kill(2)

    simulate(scenario, 3, **CHAIN)


def test_limits_and_period_are_attributes() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.settle()
        begun = flux.now()
        silence(flux, 2)
        assert await states(flux, 2) == [1, 2]
        assert 2 < flux.now() - begun < 5
        flux.kill(2)

    settings = {"heartbeat.period": "0.5s", "live.slow-idle": "2", "live.max-idle": "4"}
    simulate(scenario, 3, settings=settings, **CHAIN)


def test_limits_can_be_configured_while_the_session_runs() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux[0].rpc("config.load", {"live": {"slow-idle": 20, "max-idle": 30}})
        await flux.settle()
        assert [broker.attributes.get("live.max-idle") for broker in flux.brokers] == ["30"] * 3
        begun = flux.now()
        silence(flux, 2)
        assert await states(flux, 2) == [1, 2]
        assert flux.now() - begun > 60
        flux.kill(2)

    simulate(scenario, 3, **CHAIN)


def test_nobody_is_blamed_in_a_session_that_is_well() -> None:
    async def scenario(flux: SimInstance) -> None:
        queue = flux[0].client().listen("live.cstate")
        for _ in range(20):
            await flux.settle()
        assert queue.empty()
        assert await flux[0].rpc("live.status") == {}

    simulate(scenario, 7)


@pytest.mark.parametrize("seed", range(5, 10))
def test_those_who_have_left_a_sleeping_parent_are_not_called_failed_when_it_wakes(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.settle()
        queue = flux[0].client().listen("live.cstate")
        entry = {"name": "patient", "nprocs": 3}
        waiting = [asyncio.ensure_future(flux[rank].rpc("barrier.enter", entry)) for rank in (3, 4)]
        flux.stop(1)
        await asyncio.sleep(40)
        flux.go_on(1)
        await asyncio.sleep(10)
        told = [queue.get_nowait().body() for _ in range(queue.qsize())]
        assert {body["rank"] for body in told if body["nstate"] == Health.FAIL} == {1}
        assert await flux[0].rpc("live.status") == {}
        await asyncio.gather(*waiting, flux[0].rpc("barrier.enter", entry))

    simulate(scenario, 7, seed, weather=ROUGH)


def test_who_comes_back_below_a_newcomer_who_knows_nothing_is_well_again() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.settle()
        for rank in (2, 1):
            flux.kill(rank)
            await asyncio.sleep(10)
        assert await flux[0].rpc("live.status") == {"fail": [1, 2]}
        for rank in (1, 2):
            flux.rejoin(rank)
            await flux.settle()
        assert await flux[0].rpc("live.status") == {}

    simulate(scenario, 3, **CHAIN)


def test_who_was_slow_below_its_parent_and_moves_to_a_newcomer_is_slow_no_more() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.settle()
        wall = Wall([flux[2].uuid], [flux[3].uuid], silent=True)
        flux.network.raise_wall(wall)
        await asyncio.sleep(8)
        assert await flux[0].rpc("live.status") == {"slow": [3]}
        flux.kill(1)
        flux.rejoin(1)
        await asyncio.sleep(0.5)
        flux.network.lift(wall)
        await flux[3].rpc("overlay.reparent", {"rank": 1})
        await asyncio.sleep(10)
        assert await flux[0].rpc("live.status") == {}

    simulate(scenario, 4, **CHAIN)


def test_who_has_only_lost_its_connection_has_not_failed_and_breaks_no_barrier() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.settle()
        queue = flux[0].client().listen("live.cstate")
        entry = {"name": "patient", "nprocs": 2}
        waiting = asyncio.ensure_future(flux[2].rpc("barrier.enter", entry))
        await asyncio.sleep(1)
        flux.network.cut(flux[1].uuid, flux[2].uuid)
        await asyncio.sleep(60)
        assert queue.empty()
        await asyncio.gather(waiting, flux[0].rpc("barrier.enter", entry))

    simulate(scenario, 3, **CHAIN)


def test_who_came_at_once_in_place_of_a_dead_one_does_not_hide_that_it_has_failed() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.settle()
        queue = flux[0].client().listen("live.cstate")
        entry = {"name": "doomed", "nprocs": 3}
        flux[2].client().send_request("barrier.enter", entry, lambda response: None)
        waiting = asyncio.ensure_future(flux[1].rpc("barrier.enter", entry))
        await asyncio.sleep(1)
        flux.kill(2)
        flux.rejoin(2)
        with pytest.raises(OSError, match="a waiter left"):
            await waiting
        await flux.settle()
        assert [queue.get_nowait().body()["nstate"] for _ in range(queue.qsize())] == [Health.FAIL, Health.OK]

    simulate(scenario, 3, **CHAIN)


def test_nobody_has_failed_because_one_says_so_who_was_cut_off_when_it_thought_so() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.settle()
        accusation = {"rank": 2, "before": int(Health.SLOW), "accuser": 1}
        seen = flux[1].broker.node.events.last
        await asyncio.sleep(20)
        await flux[1].rpc("live.accuse", accusation | {"seen": seen}, nodeid=0)
        flux.kill(2)
        await flux[1].rpc("live.accuse", accusation | {"seen": seen}, nodeid=0)
        assert await flux[0].rpc("live.status") == {}
        await asyncio.sleep(20)
        assert await flux[0].rpc("live.status") == {"fail": [2]}  # found out by those who are there

    simulate(scenario, 3, **CHAIN)


def test_who_cannot_reach_rank_0_itself_goes_below_another_of_its_children() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux.settle()
        wall = Wall([flux[1].uuid], [flux[0].uuid], silent=True)
        flux.network.raise_wall(wall)
        await asyncio.sleep(60)
        assert [claim.rank for claim in flux[1].node.above.line] == [2, 0]
        assert [(await flux[rank].rpc("broker.ping", nodeid=0))["rank"] for rank in (1, 3, 4)] == [0, 0, 0]
        assert "fail" not in await flux[0].rpc("live.status")
        flux.network.lift(wall)

    simulate(scenario, 5, topo="kary:2")
