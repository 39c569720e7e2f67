"""One broker's mailbox, with services that do what the test says."""

import asyncio
from errno import EEXIST, EHOSTUNREACH, EIO, ENOSYS
from typing import Any

import pytest

from flux.overlay.notices import Gone, Joined, Noise, Notice
from flux.service import Call, Service, request
from flux.testing.instance import SimBroker, SimInstance, simulate
from flux.wire.codec import encode
from flux.wire.message import LOCAL, OWNER, Event, Message, Request


class Echo(Service):
    """Answers with what it was asked, and how."""

    name = "echo"

    @request(raw=True)
    def back(self, call: Call, *, payload: bytes) -> dict[str, Any]:
        return {"rolemask": call.request.rolemask, "route": len(call.request.route)}

    @request()
    def blurred(self, call: Call) -> dict[str, str]:
        return {"name": "\udcff"}

    @request("bug")
    def fail(self, call: Call) -> None:
        raise ZeroDivisionError("ours")


class Strict:
    """A broker's links that take only what real ones can encode."""

    def __init__(self, broker: SimBroker) -> None:
        assert broker.broker.links is not None
        self._links, broker.broker.links = broker.broker.links, self

    def send(self, link: bytes, msg: Message, mark: int) -> None:
        encode(msg)
        self._links.send(link, msg, mark)

    def publish(self, msg: Message) -> None:
        encode(msg)
        self._links.publish(msg)

    def disconnect(self, link: bytes) -> None:
        self._links.disconnect(link)

    def close(self) -> None:
        self._links.close()


async def log_of(broker: SimBroker) -> str:
    face = broker.client()
    lines = [response.data async for response in face.stream("log.dmesg", {"follow": False}).responses()]
    broker.leave(face)
    return "\n".join(line.decode() for line in lines if isinstance(line, bytes))


def play(scenario: Any, size: int = 1) -> None:
    simulate(scenario, size, modules=())


def test_what_is_sent_in_one_turn_is_delivered_in_order() -> None:
    async def scenario(flux: SimInstance) -> None:
        face, heard = flux[0].client(), list[int]()
        flux[0].broker.attach(face.id, lambda msg: heard.append(getattr(msg, "matchtag", 0)))
        flux[0].broker.register("sink", face.id)
        for n in range(5000):  # more than one slice
            face.send(Request(topic="sink.a", matchtag=n + 1))
        await flux.settle()
        assert heard == list(range(1, 5001))

    play(scenario)


def test_who_answers_from_within_a_delivery_is_not_called_again_before_it_returns() -> None:
    async def scenario(flux: SimInstance) -> None:
        face, depth, deepest = flux[0].client(), 0, 0

        def deliver(msg: Message) -> None:
            nonlocal depth, deepest
            depth += 1
            deepest = max(depth, deepest)
            if isinstance(msg, Request) and msg.matchtag < 50:
                face.send(Request(topic="sink.a", matchtag=msg.matchtag + 1))
            depth -= 1

        flux[0].broker.attach(face.id, deliver)
        flux[0].broker.register("sink", face.id)
        face.send(Request(topic="sink.a", matchtag=1))
        await flux.settle()
        assert deepest == 1

    play(scenario)


def test_a_request_is_local_on_its_own_broker_alone() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux[0].modules.adopt(Echo)
        assert (await flux[0].rpc("echo.back", {}))["rolemask"] == OWNER | LOCAL
        assert (await flux[1].rpc("echo.back", {}))["rolemask"] == OWNER
        await flux[0].modules.remove("echo")

    play(scenario, 2)


def test_a_service_name_has_one_owner() -> None:
    async def scenario(flux: SimInstance) -> None:
        face = flux[0].client()
        with pytest.raises(OSError, match="service groups is already registered") as caught:
            flux[0].broker.register("groups", face.id)
        assert caught.value.errno == EEXIST
        assert not flux[0].broker.unregister("groups", face.id)

    play(scenario)


def test_a_client_that_is_gone_takes_its_services_and_answers_along() -> None:
    async def scenario(flux: SimInstance) -> None:
        server = flux[0].client()
        flux[0].broker.register("sink", server.id)
        asked = asyncio.ensure_future(flux[0].rpc("sink.a"))
        assert (await server.asked.get()).topic == "sink.a"
        flux[0].leave(server)
        with pytest.raises(OSError, match="No route to host") as caught:
            await asked
        assert caught.value.errno == EHOSTUNREACH
        with pytest.raises(OSError, match=r"No service matching sink\.a is registered") as caught:
            await flux[0].rpc("sink.a")
        assert caught.value.errno == ENOSYS

    play(scenario)


def test_a_message_that_a_neighbour_should_not_send_is_logged_and_the_next_one_heard() -> None:
    async def scenario(flux: SimInstance) -> None:
        child = flux[1].uuid.encode()
        flux[0].broker.receive(Request(topic="overlay.claim", data=b"{}"), child, 0)
        flux[0].broker.receive(Request(topic="overlay.claim", data={"claims": [1]}), child, 0)
        flux[0].broker.receive(Request(topic="a.b", route=(b"x",)), b"stranger", 0)
        assert (await flux[1].rpc("broker.ping", nodeid=0))["rank"] == 0
        text = await log_of(flux[0])
        assert text.count("ignored a message: overlay.claim: claims is missing or of the wrong kind") == 1
        assert text.count("ignored a message: not a claim: 1") == 1
        assert text.count("message from a stranger: a.b") == 1

    play(scenario, 2)


def test_a_bug_in_one_delivery_is_logged_and_the_others_are_made() -> None:
    async def scenario(flux: SimInstance) -> None:
        bad, good = flux[0].client(), flux[0].client()

        def fail(msg: Message) -> None:
            raise ZeroDivisionError("ours")

        bad.listen("sim.")
        heard = good.listen("sim.")
        flux[0].broker.attach(bad.id, fail)
        good.send(Event(topic="sim.a"))
        assert (await heard.get()).topic == "sim.a"
        assert "ZeroDivisionError: ours" in await log_of(flux[0])
        flux.stderr.clear()  # where a simulation would take it for a bug that nobody expects

    play(scenario)


def test_a_bug_in_a_service_is_eio_for_who_asked_and_a_traceback_in_the_log() -> None:
    async def scenario(flux: SimInstance) -> None:
        await flux[0].modules.adopt(Echo)
        with pytest.raises(OSError, match=r"echo\.bug failed") as caught:
            await flux[0].rpc("echo.bug")
        assert caught.value.errno == EIO
        assert "ZeroDivisionError: ours" in await log_of(flux[0])
        flux.stderr.clear()
        await flux[0].modules.remove("echo")

    play(scenario)


def test_a_payload_that_no_wire_takes_is_eio_for_who_asked() -> None:
    async def scenario(flux: SimInstance) -> None:
        Strict(flux[1])
        echo = await flux[1].modules.adopt(Echo)
        with pytest.raises(OSError, match=r"echo\.blurred failed") as caught:
            await flux[0].rpc("echo.blurred", nodeid=1)
        assert caught.value.errno == EIO
        with pytest.raises(OSError, match=r"echo\.back failed") as caught:
            await echo.rpc("echo.back", {"a": object()}, nodeid=0)
        assert caught.value.errno == EIO
        assert "surrogates not allowed" in await log_of(flux[1])
        await flux.settle()
        flux.stderr.clear()
        await flux[1].modules.remove("echo")

    play(scenario, 2)


def test_an_event_whose_payload_no_wire_takes_holds_nobody_up() -> None:
    async def scenario(flux: SimInstance) -> None:
        Strict(flux[0])
        echo = await flux[0].modules.adopt(Echo)
        heard = flux[1].client().listen("sim.")
        echo.publish("sim.a", {"a": object()})
        event = await heard.get()
        assert (event.topic, event.data) == ("sim.a", None)
        assert (await flux[1].rpc("broker.ping", nodeid=0))["rank"] == 0
        flux.stderr.clear()
        await flux[0].modules.remove("echo")

    play(scenario, 2)


def test_the_log_says_of_lost_ranks_alone_that_they_are_found_again() -> None:
    async def scenario(flux: SimInstance) -> None:
        for notice in (
            Joined(b"a", (1, 3, 4)),
            Gone((1, 3, 4), (b"a",), "connection lost"),
            Joined(b"c", (2, 3, 4)),
            Joined(b"c", (3,)),
        ):
            flux[0].broker.act([("broker", notice)])
        said = [line for line in (await log_of(flux[0])).splitlines() if "found" in line]
        assert len(said) == 1 and "found ranks 3-4 again" in said[0]

    play(scenario)


def test_notices_reach_the_log_and_who_wants_to_be_told() -> None:
    async def scenario(flux: SimInstance) -> None:
        broker, told = flux[0].broker, list[object]()
        broker.hearers.append(told.append)
        notices: list[Notice] = [
            Noise("odd"),
            Gone((3, 4), (b"c", b"d"), "connection lost"),
            Gone((5,), (b"e",), "administrative shutdown"),
        ]
        broker.act([("broker", notice) for notice in notices])
        broker.hearers.remove(told.append)
        text = await log_of(flux[0])
        assert told == notices
        assert "odd" in text and "lost ranks 3-4: connection lost" in text and "lost rank 5: administrative" in text

    play(scenario)
