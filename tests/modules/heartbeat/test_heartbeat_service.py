"""heartbeat: rank 0 beats, all hear it."""

from errno import EINVAL
from typing import Any

import pytest

from flux.base.config import Config
from flux.modules.heartbeat.service import Heartbeat
from flux.service import Call, Service, request
from flux.service.configuration import Configuration
from flux.testing.host import FakeHost, play
from flux.testing.tree import FakeTree, grow
from flux.wire.message import USER


async def stats(host: FakeHost) -> tuple[float, int]:
    answer = await host.call("heartbeat.stats-get", rolemask=USER)
    assert (answer["timeout"], answer["warn_thresh"]) == (300.0, 3)
    return answer["period"], answer["count"]


def test_rank_0_beats_every_two_seconds_unless_told_otherwise() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree[0].advance(6.5)
        for rank in (0, 2):
            assert await stats(tree[rank]) == (2.0, 3)
            assert {event.topic for event in tree[rank].events} == {"heartbeat.pulse"}

    grow(scenario, Heartbeat, FakeTree(3))


def test_another_period_of_rank_0_counts_everywhere_from_when_it_is_set() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree[0].advance(1)
        tree[0].attributes.set("heartbeat.period", "500ms")
        await tree[0].advance(1.2)
        for rank in (0, 1):
            assert await stats(tree[rank]) == (0.5, 2)
            assert tree[rank].attributes.get("heartbeat.period") in {"500ms", "0.5s"}
        tree[0].attributes.set("heartbeat.period", "2s")
        await tree[0].advance(2)
        assert await stats(tree[1]) == (2.0, 3)

    grow(scenario, Heartbeat, FakeTree(2))


@pytest.mark.parametrize("text", ["", "soon", "0", "-1s", "1ms", "inf", "1h"])
def test_a_period_that_is_none_is_refused(text: str) -> None:
    async def scenario(host: FakeHost) -> None:
        with pytest.raises(OSError, match=f"'{text}' is not a duration") as caught:
            host.attributes.set("heartbeat.period", text)
        assert caught.value.errno == EINVAL
        assert await stats(host) == (2.0, 0)

    play(scenario, Heartbeat)


def test_the_period_may_be_an_argument() -> None:
    async def scenario(host: FakeHost) -> None:
        await host.load(Heartbeat, "period=10s")
        assert await stats(host) == (10.0, 0)
        assert host.attributes.get("heartbeat.period") == "10s"
        await host.unload("heartbeat")
        for bad, said in (("period=1x", "'1x' is not"), ("foo=42", "foo=42: unknown option"), ("period", "''")):
            with pytest.raises(OSError, match=said):
                await host.load(Heartbeat, bad)
        assert host.attributes.get("heartbeat.period") == "10s"

    play(scenario)


def test_who_hears_nothing_for_three_periods_says_so_once() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree[0].advance(5)
        await tree[0].unload("heartbeat")
        await tree[0].advance(20)
        await tree[0].load(Heartbeat)
        await tree[0].advance(3)
        assert [text for _, _, text in tree[1].logged] == ["heartbeat overdue", "heartbeat received"]

    grow(scenario, Heartbeat, FakeTree(2))


def test_who_is_unloaded_beats_no_more_whatever_becomes_of_the_period() -> None:
    async def scenario(host: FakeHost) -> None:
        await host.unload("heartbeat")
        host.attributes.set("heartbeat.period", "1s")
        await host.advance(10)
        assert not host.events

    play(scenario, Heartbeat)


# -- configuration ----------------------------------------------------------------------------------------------------


def configured(values: dict[str, Any]) -> dict[str, Any]:
    """The ports of a host with that table `heartbeat`."""
    return {"config": Configuration(Config({"heartbeat": values}))}


async def reload(host: FakeHost, values: dict[str, Any]) -> None:
    await host.call("heartbeat.config-reload", {"heartbeat": values})


def test_the_configuration_says_how_often_and_how_long() -> None:
    async def scenario(host: FakeHost) -> None:
        answer = await host.call("heartbeat.stats-get")
        assert (answer["period"], answer["timeout"], answer["warn_thresh"]) == (5.0, -1.0, 7)
        assert host.attributes.get("heartbeat.period") == "5s"
        await host.advance(11)
        assert len(host.events) == 2

    said = {"period": "5s", "timeout": "infinity", "warn_thresh": 7}
    play(scenario, Heartbeat, host=FakeHost(ports=configured(said)))


def test_the_attribute_prevails_until_the_configuration_changes() -> None:
    async def scenario(host: FakeHost) -> None:
        assert (await host.call("heartbeat.stats-get"))["period"] == 1.0
        await reload(host, {"period": "5s", "warn_thresh": 4})
        answer = await host.call("heartbeat.stats-get")
        assert (answer["period"], answer["warn_thresh"]) == (1.0, 4)
        await reload(host, {"period": "6s"})
        assert (await host.call("heartbeat.stats-get"))["period"] == 6.0
        assert host.attributes.get("heartbeat.period") == "6s"

    play(scenario, Heartbeat, host=FakeHost({"heartbeat.period": "1s"}, ports=configured({"period": "5s"})))


def test_a_longer_period_may_come_with_a_longer_timeout() -> None:
    async def scenario(host: FakeHost) -> None:
        await reload(host, {"period": "10m", "timeout": "1h"})
        answer = await host.call("heartbeat.stats-get")
        assert (answer["period"], answer["timeout"]) == (600.0, 3600.0)
        await reload(host, {})
        assert await stats(host) == (2.0, 0)

    play(scenario, Heartbeat)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"period": "nonsense"}, "heartbeat.period: 'nonsense' is not a duration"),
        ({"timeout": "3s"}, "heartbeat.timeout: must be at least two periods of 2s"),
        ({"timeout": "30s"}, "heartbeat.timeout: less than two periods of 20s"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(values: dict[str, str], reason: str) -> None:
    async def scenario(host: FakeHost) -> None:
        host.attributes.set("heartbeat.period", "20s")
        errnum, text = await host.refusal("heartbeat.config-reload", {"heartbeat": values})
        assert errnum == EINVAL
        assert text.startswith(reason)
        assert await stats(host) == (20.0, 0)

    play(scenario, Heartbeat)


class Overlay(Service):
    """Notes which parents were given up."""

    async def start(self) -> None:
        self.reasons: list[str] = []

    @request()
    def disconnect_parent(self, call: Call, *, reason: str) -> None:
        self.reasons.append(reason)


def test_a_parent_that_is_silent_for_too_long_is_given_up_and_the_next_has_its_time() -> None:
    async def scenario(host: FakeHost) -> None:
        overlay = await host.load(Overlay)
        assert isinstance(overlay, Overlay)
        await host.load(Heartbeat)
        await host.advance(9)
        assert overlay.reasons == []
        await host.advance(3)
        assert overlay.reasons == ["no heartbeat for 11s"]
        await host.advance(9)
        assert len(overlay.reasons) == 1
        await host.advance(3)
        assert len(overlay.reasons) == 2

    ports = configured({"period": "1s", "timeout": "10s"})
    play(scenario, host=FakeHost(rank=1, size=2, ports=ports))


def test_rank_0_gives_nobody_up() -> None:
    async def scenario(host: FakeHost) -> None:
        overlay = await host.load(Overlay)
        await host.load(Heartbeat)
        await host.advance(60)
        assert isinstance(overlay, Overlay) and overlay.reasons == []

    play(scenario, host=FakeHost(ports=configured({"period": "1s", "timeout": "2s"})))
