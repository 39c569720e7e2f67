"""A service from its start to its end: events, timers, attributes, tasks, what it asks of others."""

import asyncio
from collections.abc import AsyncIterator
from errno import EHOSTUNREACH, EINVAL, ENOENT, ENOSYS, EPERM, EPROTO
from typing import Any

import pytest

from flux.service import LATER, Call, Later, Service, event, every, request
from flux.testing.host import FakeHost, play
from flux.testing.tree import FakeTree, grow
from flux.wire.message import ANY, OWNER, USER, Event, Message, Request, Response


class Clock(Service):
    async def start(self) -> None:
        self.ticks: list[float] = []
        self.heard: list[tuple[str, int]] = []
        self.period = ""
        self.follow("clock.period", self.take, "1s")

    def take(self, value: str) -> None:
        if not value.endswith("s"):
            raise OSError(EINVAL, f"clock.period: '{value}' is no duration")
        self.period = value

    @every(10)
    def tick(self) -> None:
        self.ticks.append(self.host.now())
        if len(self.ticks) == 2:
            raise ZeroDivisionError("a bad day")

    @event("weather.")
    def weather(self, event: Event) -> None:
        self.heard.append((event.topic, event.sequence))
        if event.topic.endswith("hail"):
            raise ZeroDivisionError("a bad day")

    @request()
    async def numbers(self, call: Call) -> AsyncIterator[dict[str, int]]:
        for n in range(100):
            yield {"n": n, "rank": self.host.rank}
            await asyncio.sleep(1)

    @request()
    def where(self, call: Call) -> dict[str, int]:
        return {"rank": self.host.rank}

    @request()
    def refuse(self, call: Call) -> None:
        raise OSError(ENOENT, "never")


class Asker(Service):
    @request()
    async def relay(self, call: Call, *, topic: str, upstream: bool = False, nodeid: int = ANY) -> dict[str, Any]:
        return await self.rpc(topic, {}, upstream=upstream, nodeid=nodeid)


def clock(host: FakeHost) -> Clock:
    service = host.services["clock"]
    assert isinstance(service, Clock)
    return service


def test_a_timer_goes_on_whatever_its_method_raises_and_ends_with_the_service() -> None:
    async def scenario(host: FakeHost) -> None:
        service = clock(host)
        await host.advance(35)
        assert service.ticks == [10, 20, 30]
        assert "ZeroDivisionError: a bad day" in host.logged[0][2]
        await host.unload("clock")
        await host.advance(35)
        assert service.ticks == [10, 20, 30]

    play(scenario, Clock)


def test_a_timer_of_the_same_name_replaces() -> None:
    async def scenario(host: FakeHost) -> None:
        service = clock(host)
        service.every(3, service.tick)
        await host.advance(7)
        assert service.ticks == [3, 6]

    play(scenario, Clock)


def test_events_are_heard_by_prefix_and_a_bad_handler_is_logged() -> None:
    async def scenario(host: FakeHost) -> None:
        for topic in ("weather.rain", "weather.hail", "news", "weather.sun"):
            clock(host).publish(topic)
        assert clock(host).heard == [("weather.rain", 1), ("weather.hail", 2), ("weather.sun", 4)]
        assert "ZeroDivisionError" in host.logged[0][2]

    play(scenario, Clock)


def test_an_attribute_is_told_before_it_changes_and_may_be_refused() -> None:
    async def scenario(host: FakeHost) -> None:
        service, table = clock(host), host.attributes
        assert (service.period, table.get("clock.period")) == ("1s", "1s")
        table.set("clock.period", "5s")
        with pytest.raises(OSError, match="'x' is no duration"):
            table.set("clock.period", "x")
        assert (service.period, table.get("clock.period")) == ("5s", "5s")
        await host.unload("clock")
        table.set("clock.period", "x")
        assert service.period == "5s"

    play(scenario, Clock)


def test_a_bad_attribute_refuses_the_load() -> None:
    async def scenario(host: FakeHost) -> None:
        with pytest.raises(OSError, match="'soon' is no duration"):
            await host.load(Clock)

    play(scenario, host=FakeHost({"clock.period": "soon"}))


def test_a_service_asks_its_own_broker_its_parent_or_any_rank() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree.load(Asker)
        host = tree[3]
        assert await host.call("asker.relay", {"topic": "clock.where"}) == {"rank": 3}
        assert await host.call("asker.relay", {"topic": "clock.where", "upstream": True}) == {"rank": 1}
        assert await host.call("asker.relay", {"topic": "clock.where", "nodeid": 6}) == {"rank": 6}
        assert await host.refusal("asker.relay", {"topic": "clock.refuse"}) == (ENOENT, "never")
        assert (await host.refusal("asker.relay", {"topic": "nobody.home"}))[0] == ENOSYS

    grow(scenario, Clock, FakeTree(7))


def test_a_service_that_ends_waits_for_nothing_any_more() -> None:
    class Curious(Service):
        async def start(self) -> None:
            self.said: list[str] = []
            self.run(self.wonder())
            self.send_request("sleeper.sleep", None, lambda answer: self.said.append(answer.text()))

        async def wonder(self) -> None:
            try:
                await self.rpc("sleeper.sleep")
            except asyncio.CancelledError:
                self.said.append("cancelled")
                raise

    class Sleeper(Service):
        @request()
        async def sleep(self, call: Call) -> None:
            await asyncio.sleep(100)

    async def scenario(host: FakeHost) -> None:
        service = await host.load(Curious)
        assert isinstance(service, Curious)
        await host.advance()
        await host.unload("curious")
        assert service.said == ["curious was unloaded", "cancelled"]
        await host.advance(200)

    play(scenario, Sleeper)


def test_who_stops_listening_to_a_stream_cancels_it() -> None:
    class Listener(Service):
        @request()
        async def listen(self, call: Call, *, upto: int) -> dict[str, Any]:
            seen = []
            async for answer in self.stream("clock.numbers"):
                seen.append(answer["n"])
                if answer["n"] == upto:
                    break
            return {"seen": seen}

    async def scenario(host: FakeHost) -> None:
        await host.load(Listener)
        assert await host.call("listener.listen", {"upto": 2}) == {"seen": [0, 1, 2]}
        await host.advance()
        assert not clock(host).open_calls()
        assert len((await host.call("listener.listen", {"upto": 100}))["seen"]) == 100

    play(scenario, Clock)


def test_ping_gives_back_what_it_got_and_the_way_it_came() -> None:
    async def scenario(tree: FakeTree) -> None:
        answer = await tree[3].call("clock.ping", {"seq": 1}, nodeid=0, userid=5, rolemask=USER | 4)
        hops = [tree[rank].uuid[:8] for rank in (3, 1, 0)]
        assert answer == {"seq": 1, "rank": 0, "userid": 5, "rolemask": USER, "route": "!".join(["client", *hops])}
        assert (await tree[0].refusal("clock.ping", b"no json"))[0] == EPROTO

    grow(scenario, Clock, FakeTree(7))


def test_messages_are_counted_until_the_counts_are_cleared() -> None:
    async def scenario(host: FakeHost) -> None:
        clock(host).publish("weather.sun")
        await host.call("clock.where")
        stats = await host.call("clock.stats-get", rolemask=8)
        assert stats == {
            "tx": {"request": 0, "response": 1, "event": 1, "control": 0},
            "rx": {"request": 2, "response": 0, "event": 1, "control": 0},
        }
        assert (await host.refusal("clock.stats-clear", rolemask=USER))[0] == EPERM
        await host.call("clock.stats-clear")
        assert (await host.call("clock.stats-get"))["rx"]["request"] == 1

    play(scenario, Clock)


def test_an_event_of_the_owner_clears_the_counts_on_all_ranks() -> None:
    async def scenario(tree: FakeTree) -> None:
        await tree[2].call("clock.where")
        for rolemask, count in ((USER, 1), (OWNER, 0)):
            tree[1].send(Event(5, rolemask, 0, "clock.stats-clear"), b"client")
            await tree[1].advance()
            assert clock(tree[2]).received[0] == count

    grow(scenario, Clock, FakeTree(3))


def test_debug_flags_are_set_and_cleared_bit_by_bit() -> None:
    async def scenario(host: FakeHost) -> None:
        for op, flags, then in (("setbit", 5, 5), ("clrbit", 1, 4), ("set", 3, 3), ("clr", 0, 0)):
            assert await host.call("clock.debug", {"op": op, "flags": flags}) == {"flags": then}
        assert await host.refusal("clock.debug", {"op": "flip", "flags": 1}) == (EPROTO, "debug: no such op: flip")

    play(scenario, Clock)


def test_rusage_and_shutdown_are_the_hosts() -> None:
    async def scenario(host: FakeHost) -> None:
        assert (await host.call("clock.rusage", {"who": "children"}, rolemask=USER))["who"] == "children"
        assert (await host.refusal("clock.shutdown", rolemask=USER))[0] == EPERM
        await host.call("clock.shutdown")
        await host.advance()
        assert "clock" not in host.services

    play(scenario, Clock)


class Patient(Service):
    """Keeps who asks waiting, and remembers who left."""

    async def start(self) -> None:
        self.left: list[int] = []

    @request()
    def wait(self, call: Call) -> Later:
        call.on_close = lambda: self.left.append(call.request.matchtag)
        return LATER


def asked(tag: int, *route: bytes) -> Request:
    return Request(rolemask=OWNER, topic="patient.wait", matchtag=tag, route=route)


@pytest.mark.parametrize(("way", "lost"), [((b"x",), [1]), ((b"y", b"x"), [2])])
def test_who_is_behind_a_lost_link_hears_it_if_there_is_another_way(way: tuple[bytes, ...], lost: list[int]) -> None:
    async def scenario(host: FakeHost) -> None:
        service = Patient(host)
        told: list[Message] = []
        service.send = told.append  # type: ignore[assignment, method-assign]
        await service.bring_up()
        for tag, route in enumerate(((b"x", b"a"), (b"y", b"x", b"b"), (b"y", b"c")), start=1):
            service.deliver(asked(tag, *route))
        service.link_lost(*way) if len(way) == 1 else service.way_lost(*way)
        assert [(r.matchtag, r.errnum) for r in told if isinstance(r, Response)] == [(t, EHOSTUNREACH) for t in lost]
        assert service.left == lost

    play(scenario)
