"""heartbeat: rank 0 beats, all hear it."""

from errno import EINVAL

import pytest

from flux.modules.heartbeat.service import Heartbeat
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


def test_another_period_counts_from_when_it_is_set() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree[0].advance(1)
        tree[0].attributes.set("heartbeat.period", "500ms")
        await tree[0].advance(1.2)
        assert await stats(tree[0]) == (0.5, 2)
        assert await stats(tree[1]) == (2.0, 2)

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
