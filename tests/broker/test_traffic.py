"""What a broker counts and shows of its messages: by neighbour, by kind, by module."""

from typing import Any

from flux.broker.traffic import Traffic
from flux.testing.sim import SimInstance, simulate
from flux.wire.message import Control, Event, Request, Response


def test_messages_are_counted_by_neighbour_and_kind() -> None:
    traffic = Traffic()
    for msg in (Request(), Request(), Response(), Event(), Control()):
        traffic.received(b"a", msg)
    traffic.sent(b"a", Response())
    assert traffic.of(b"a") == {
        "tx": {"request": 0, "response": 1, "event": 0, "control": 0},
        "rx": {"request": 2, "response": 1, "event": 1, "control": 1},
    }
    assert traffic.of(b"b")["rx"]["request"] == 0
    traffic.forget(b"a")
    assert traffic.of(b"a") == traffic.of(b"b")


def test_a_broker_shows_what_its_neighbours_and_modules_say() -> None:
    async def scenario(flux: SimInstance) -> None:
        before = await flux[1].rpc("broker.stats-get")
        for _ in range(5):
            await flux[3].rpc("attr.get", {"name": "size"}, nodeid=0)
        await flux[3].rpc("attr.get", {"name": "size"}, nodeid=1)
        await flux.settle()
        after = await flux[1].rpc("broker.stats-get")
        assert set(after["links"]) == {"parent", "3", "4"}

        def more(*path: str) -> int:
            found: list[Any] = [after, before]
            for key in path:
                found = [each[key] for each in found]
            return int(found[0] - found[1])

        assert more("links", "3", "rx", "request") >= 6
        assert more("links", "3", "tx", "response") >= 6
        assert more("links", "parent", "tx", "request") >= 5
        assert more("links", "parent", "rx", "response") >= 5
        assert more("modules", "attr", "rx", "request") >= 1
        assert more("links", "parent", "rx", "event") == more("published") > 0

    simulate(scenario, 7, modules=("heartbeat",))


def test_the_counts_can_be_set_to_0() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux[0].rpc("broker.stats-clear")
        assert (await flux[0].rpc("broker.stats-get"))["links"]["1"]["rx"] == {
            "request": 0,
            "response": 0,
            "event": 0,
            "control": 0,
        }

    simulate(scenario, 3, modules=())


def test_a_neighbour_that_is_gone_is_forgotten() -> None:
    async def scenario(flux: SimInstance) -> None:
        flux.kill(2)
        await flux.settle()
        assert set((await flux[0].rpc("broker.stats-get"))["links"]) == {"1"}

    simulate(scenario, 3, modules=())


def test_a_trace_shows_what_modules_send_and_get_as_long_as_somebody_looks() -> None:
    async def scenario(flux: SimInstance) -> None:
        face = flux[0].client()
        stream = face.stream("module.trace", {"names": ["attr"]})
        await flux[0].rpc("attr.get", {"name": "size"})
        shown = []
        async for record in stream:
            shown.append((record["name"], record["prefix"], record["type"], record["topic"]))
            if len(shown) == 2:
                break
        assert shown == [("attr", "rx", 1, "attr.get"), ("attr", "tx", 2, "attr.get")]
        await flux.settle()
        assert not flux[0].broker.module_tap.on
        flux[0].leave(face)

    simulate(scenario, 1, modules=())


def test_a_trace_of_everything_does_not_show_itself() -> None:
    async def scenario(flux: SimInstance) -> None:
        face = flux[0].client()
        asked = {"topic": "module.trace", "ranks": "all", "payload": {}}
        stream = face.stream("multicast.call", asked)
        topics = []
        async for body in stream:
            topics += [record["topic"] for _, record in body["answers"]]
            if "attr.list" in topics:
                break
            if len(topics) < 50:
                await flux[2].rpc("attr.list")
        assert "module.trace" not in topics and len(topics) < 50
        flux[0].leave(face)
        await flux.settle()
        assert not any(broker.broker.module_tap.on for broker in flux.brokers)

    simulate(scenario, 3, modules=("heartbeat",), settings={"heartbeat.period": "0.1s"})
