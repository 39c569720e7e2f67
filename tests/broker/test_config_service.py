"""One session has one configuration: rank 0's, whoever joins, whatever gets lost, wherever it is asked for."""

import asyncio
from collections.abc import AsyncGenerator
from errno import EINVAL, EPERM
from typing import Any

import pytest

from flux.base.config import Config, from_toml, joined
from flux.overlay.notices import Notice, ParentLost
from flux.service import Service
from flux.service.configuration import Configuration
from flux.testing.instance import SimInstance, simulate
from flux.testing.network import CALM, ROUGH, Weather
from flux.testing.virtual import VirtualLoop
from flux.wire.message import LOCAL, USER

PERIOD = {"heartbeat": {"period": "5s"}}


class Fussy(Service):
    """Takes any configuration but one."""

    def configured(self, config: Config) -> None:
        if "bad" in config.values.get("fussy", {}):
            raise config.complaint(("fussy", "bad"), "not to my taste")
        self.taken = [*getattr(self, "taken", []), config.values]


async def get(flux: SimInstance, rank: int) -> dict[str, Any]:
    return await flux[rank].rpc("config.get")


async def load(flux: SimInstance, values: dict[str, Any], rank: int = 0) -> None:
    await flux[rank].rpc("config.load", values)


async def refusal(flux: SimInstance, topic: str, values: dict[str, Any] | None = None, rank: int = 0) -> str:
    with pytest.raises(OSError) as refused:
        await flux[rank].rpc(topic, values)
    assert refused.value.errno == EINVAL
    return str(refused.value.strerror)


def configured(flux: SimInstance, text: str) -> Configuration:
    """Gives rank 0 a configuration before anything begins."""
    box = Configuration(joined(from_toml(text, "a.toml")))
    flux[0].host.offer("config", box)
    return box


def up(scenario: Any, text: str, size: int = 5, seed: int = 0, weather: Weather = CALM) -> None:
    """Runs a scenario in a session whose rank 0 has read a file."""

    async def play() -> None:
        flux = SimInstance(asyncio.get_running_loop(), size, seed, weather=weather)
        box = configured(flux, text)
        await flux.up()
        await scenario(flux, box)
        await flux.down()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())


# -- getting it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_everybody_has_what_rank_0_has_before_their_modules_are_loaded(seed: int) -> None:
    async def scenario(flux: SimInstance, box: Configuration) -> None:
        for broker in flux.brokers:
            assert await get(flux, broker.rank) == PERIOD
            assert (await broker.rpc("heartbeat.stats-get"))["period"] == 5.0
            assert broker.attributes.get("heartbeat.period") == "5s"

    up(scenario, '[heartbeat]\nperiod = "5s"', seed=seed, weather=ROUGH)


def test_without_any_it_is_empty() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert [await get(flux, rank) for rank in range(3)] == [{}, {}, {}]

    simulate(scenario, 3)


def test_a_guest_may_read_it_but_not_change_it() -> None:
    async def scenario(flux: SimInstance) -> None:
        guest = flux[0].client(2000, USER | LOCAL)
        assert await guest.rpc("config.get") == {}
        for topic in ("config.load", "config.reload", "heartbeat.config-reload"):
            with pytest.raises(OSError) as refused:
                await guest.rpc(topic, {})
            assert refused.value.errno == EPERM
        flux[0].leave(guest)

    simulate(scenario, 1)


# -- changing it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_what_rank_0_sends_after_a_change_finds_everybody_changed(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        face = flux[0].client()
        for n in range(5):
            await face.rpc("config.load", {"x": {"n": n}})
            answers = await asyncio.gather(*(face.rpc("config.get", nodeid=rank) for rank in range(7)))
            assert answers == [{"x": {"n": n}}] * 7
        flux[0].leave(face)

    simulate(scenario, 7, seed, weather=ROUGH)


@pytest.mark.parametrize("seed", range(20))
def test_changes_that_come_fast_leave_everybody_with_the_last_one(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        face = flux[0].client()
        periods = [f"{n}s" for n in range(1, 11)]
        await asyncio.gather(*(face.rpc("config.load", {"heartbeat": {"period": period}}) for period in periods))
        await flux.settle()
        for broker in flux.brokers:
            assert await get(flux, broker.rank) == {"heartbeat": {"period": "10s"}}
            assert broker.attributes.get("heartbeat.period") == "10s"
        flux[0].leave(face)

    simulate(scenario, 7, seed, weather=ROUGH)


def test_who_takes_a_stream_is_told_of_every_change() -> None:
    async def scenario(flux: SimInstance) -> None:
        stream = flux[2].stream("config.get")
        assert isinstance(stream, AsyncGenerator)
        assert await anext(stream) == {}
        for n in (1, 2):
            await load(flux, {"x": n})
            assert await anext(stream) == {"x": n}
        await load(flux, {"x": 2})
        await load(flux, {})
        assert await anext(stream) == {}
        await stream.aclose()

    simulate(scenario, 3)


def test_it_can_be_changed_on_rank_0_alone() -> None:
    async def scenario(flux: SimInstance) -> None:
        for topic in ("config.load", "config.reload"):
            assert await refusal(flux, topic, {}, rank=2) == "configuration can only be changed on rank 0"

    simulate(scenario, 3)


def test_reading_it_anew_changes_what_has_changed() -> None:
    async def scenario(flux: SimInstance, box: Configuration) -> None:
        box.read = lambda: joined(from_toml('[heartbeat]\nperiod = "7s"', "a.toml"))
        await flux[0].rpc("config.reload")
        await flux.settle()
        assert flux[4].attributes.get("heartbeat.period") == "7s"

        def bad() -> Config:
            raise OSError(EINVAL, "a.toml:1: no")

        box.read = bad
        assert await refusal(flux, "config.reload") == "a.toml:1: no"
        box.read = lambda: joined(from_toml("\n[heartbeat]\nperiod = 3", "a.toml"))
        reason = await refusal(flux, "config.reload")
        assert reason == "a.toml:3: heartbeat.period: must be a string, not an integer"
        assert await get(flux, 4) == {"heartbeat": {"period": "7s"}}

    up(scenario, '[heartbeat]\nperiod = "5s"')


def test_what_one_service_refuses_nobody_keeps() -> None:
    async def scenario(flux: SimInstance, box: Configuration) -> None:
        fussy = await flux[0].modules.adopt(Fussy)
        assert isinstance(fussy, Fussy)
        box.read = lambda: joined(from_toml('[heartbeat]\nperiod = "7s"\n[fussy]\nbad = 1', "b.toml"))
        reason = await refusal(flux, "config.reload")
        assert reason == "error updating fussy: b.toml:4: fussy.bad: not to my taste"
        assert (await flux[0].rpc("heartbeat.stats-get"))["period"] == 5.0
        assert await get(flux, 0) == await get(flux, 4) == PERIOD
        assert fussy.taken == [PERIOD]
        await load(flux, {})
        assert fussy.taken == [PERIOD, {}]
        await flux[0].modules.remove("fussy")

    up(scenario, '[heartbeat]\nperiod = "5s"')


def test_a_service_that_cannot_take_it_on_another_rank_says_so_in_the_log() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux[2].modules.adopt(Fussy)
        await load(flux, {"fussy": {"bad": 1}})
        await flux.settle()
        assert await get(flux, 2) == {"fussy": {"bad": 1}}
        assert any("error updating fussy: fussy.bad: not to my taste" in line for line in flux.stderr)
        await flux[2].modules.remove("fussy")

    simulate(scenario, 3)


def test_a_module_that_is_loaded_gets_what_is_in_force() -> None:
    async def scenario(flux: SimInstance) -> None:
        await load(flux, {"fussy": {"bad": 1}})
        with pytest.raises(OSError, match=r"fussy\.bad: not to my taste"):
            await flux[0].modules.adopt(Fussy)
        await load(flux, {"x": 1})
        fussy = await flux[0].modules.adopt(Fussy)
        assert isinstance(fussy, Fussy) and fussy.taken == [{"x": 1}]
        await flux[0].modules.remove("fussy")

    simulate(scenario, 1)


def test_who_lost_events_asks_rank_0() -> None:
    async def scenario(flux: SimInstance) -> None:
        await load(flux, PERIOD)
        box: Configuration = flux[2].host.port("config")
        await flux.settle()
        box.current = Config()
        for service in flux[2].broker.services.values():
            service.events_lost()
        await flux.settle()
        assert await get(flux, 2) == PERIOD

    simulate(scenario, 3)


def test_a_parent_can_be_given_up_for_a_reason() -> None:
    async def play() -> list[str]:
        flux = SimInstance(asyncio.get_running_loop(), 3, topo="kary:1")
        await flux.up()
        heard: list[Notice] = []
        flux[2].broker.hearers.append(heard.append)
        await flux[2].rpc("overlay.disconnect-parent", {"reason": "no heartbeat for 5m"})
        await asyncio.sleep(1)
        return [notice.reason for notice in heard if isinstance(notice, ParentLost)]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(play()) == ["no heartbeat for 5m"]


def test_torpid_times_change_while_the_session_runs() -> None:
    async def scenario(flux: SimInstance) -> None:
        assert flux[2].attributes.get("tbon.torpid_min") == "5s"
        await load(flux, {"tbon": {"torpid_min": "2s", "torpid_max": "0"}})
        await flux.settle()
        for broker in flux.brokers:
            shown = [broker.attributes.get(f"tbon.torpid_{end}") for end in ("min", "max")]
            assert shown == ["2s", "0s"]

    simulate(scenario, 3)
