"""One suite for every kind of link: memory, unix, ZeroMQ on one host, ZeroMQ with CURVE over TCP."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import zmq

from flux.runtime.curve import Keys, fresh_keys
from flux.runtime.wiring import Endpoint
from flux.wire.framing import pack
from flux.wire.message import Event, Request, Response
from tests.links.kinds import KINDS, MARK, Ipc, Kind, Memory, Tcp, Tree, Unix

Scenario = Callable[[Any], Awaitable[None]]
LONGEST = 30
"""Seconds after which a test has failed, on however slow a machine."""

every_kind = pytest.mark.parametrize("kind", KINDS)


def play(kind: type[Kind], directory: Path, scenario: Scenario) -> None:
    async def session() -> None:
        link = kind(directory)
        await link.start()
        try:
            async with asyncio.timeout(LONGEST):
                await scenario(link)
        finally:
            await link.stop()

    asyncio.run(session())


@every_kind
def test_messages_come_complete_and_in_order_both_ways(kind: type[Kind], tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        end, other = await link.connect("child")
        for n in range(5000):
            end.send(Request(topic="up", matchtag=n, data=b"x" * (n % 700)))
            other.send(Response(topic="down", matchtag=n, data={"n": n}))
        for n in range(5000):
            up, down = await other.next(), await end.next()
            assert (up.topic, up.matchtag, up.data) == ("up", n, b"x" * (n % 700))
            assert (down.topic, down.matchtag, down.body()) == ("down", n, {"n": n})

    play(kind, tmp_path, scenario)


@every_kind
def test_several_connections_are_told_apart(kind: type[Kind], tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        pairs = [await link.connect(f"child-{n}") for n in range(5)]
        for n, (end, other) in enumerate(pairs):
            end.send(Request(topic="up", matchtag=n))
            other.send(Response(topic="down", matchtag=n))
        for n, (end, other) in enumerate(pairs):
            assert ((await other.next()).matchtag, (await end.next()).matchtag) == (n, n)
            assert end.came.empty() and other.came.empty()

    play(kind, tmp_path, scenario)


@every_kind
def test_large_messages_pass_among_small_ones(kind: type[Kind], tmp_path: Path) -> None:
    large = os.urandom(5_000_000)

    async def scenario(link: Kind) -> None:
        end, other = await link.connect("child")
        for one, two in ((end, other), (other, end)):
            for n in range(3):
                one.send(Request(topic="small", matchtag=n))
                one.send(Request(topic="large", data=large))
            for n in range(3):
                assert (await two.next()).matchtag == n
                assert (await two.next()).data == large

    play(kind, tmp_path, scenario)


@every_kind
def test_routes_and_binary_payloads_come_as_they_were(kind: type[Kind], tmp_path: Path) -> None:
    sent = Request(1, 2, 0x40, "a.b", bytes(range(256)), 3, 4, (b"one", bytes(range(1, 200)), b"x" * 300))

    async def scenario(link: Kind) -> None:
        end, other = await link.connect("child")
        end.send(sent)
        assert await other.next() == sent

    play(kind, tmp_path, scenario)


@every_kind
def test_a_disconnection_below_is_noticed_above(kind: type[Kind], tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        end, other = await link.connect("child")
        _, third = await link.connect("third")
        end.close()
        assert await other.lost
        assert not third.lost.done()

    play(kind, tmp_path, scenario)


@every_kind
def test_a_disconnection_above_is_noticed_below(kind: type[Kind], tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        end, _ = await link.connect("child")
        link.hang_up("child")
        assert await end.lost

    play(kind, tmp_path, scenario)


@every_kind
def test_what_was_sent_before_the_end_arrives_before_the_end(kind: type[Kind], tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        end, other = await link.connect("child")
        for n in range(100):
            end.send(Request(topic="last words", matchtag=n))
        await asyncio.sleep(0)
        end.close()
        assert [(await other.next()).matchtag for _ in range(100)] == list(range(100))
        assert await other.lost

    play(kind, tmp_path, scenario)


@every_kind
def test_who_comes_back_under_the_same_name_is_heard_and_answered(kind: type[Kind], tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        for round in range(5):
            end, other = await link.connect("child")
            end.send(Request(topic="up", matchtag=round))
            assert (await other.next()).matchtag == round
            other.send(Response(topic="down", matchtag=round))
            assert (await end.next()).matchtag == round
            end.close()
            if round % 2:  # else it is back before its end was noticed
                await other.lost

    play(kind, tmp_path, scenario)


# -- garbage ----------------------------------------------------------------------------------------------------------

MESSAGE = pack(Request(topic="a.b", matchtag=1))
GARBAGE = {
    "another protocol": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"\0" * 100,
    "noise": os.urandom(4096),
    "a wrong magic": b"\xde\xad\xbe\xef" + MESSAGE[4:],
    "a message over the limit": MESSAGE[:4] + b"\xff\xff\xff\xff" + MESSAGE[8:],
    "a message that is none": MESSAGE[:8] + b"\xff" * (len(MESSAGE) - 8),
    "a message after a good one": MESSAGE + b"\0" * 100,
}
breakable = pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.garbage])


@pytest.mark.parametrize("what", GARBAGE)
@breakable
def test_garbage_is_noticed_and_does_no_harm_to_others(kind: type[Kind], what: str, tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        end, other = await link.connect("child")
        raw = await link.raw()
        await asyncio.get_running_loop().sock_sendall(raw, GARBAGE[what])
        raw.close()
        assert await link.noise.get()
        end.send(Request(topic="up"))
        assert (await other.next()).topic == "up"
        assert not end.lost.done() and not other.lost.done()

    play(kind, tmp_path, scenario)


@pytest.mark.parametrize("cut", [1, 4, 8, 30])
@breakable
def test_a_message_that_is_cut_off_is_nobodys(kind: type[Kind], cut: int, tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        end, other = await link.connect("child")
        raw = await link.raw()
        await asyncio.get_running_loop().sock_sendall(raw, MESSAGE[:cut])
        raw.close()
        end.send(Request(topic="up"))
        assert (await other.next()).topic == "up"
        assert other.came.empty()

    play(kind, tmp_path, scenario)


@breakable
def test_a_hundred_connections_that_say_nothing_do_no_harm(kind: type[Kind], tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        idle = [await link.raw() for _ in range(100)]
        end, other = await link.connect("child")
        end.send(Request(topic="up"))
        assert (await other.next()).topic == "up"
        for raw in idle:
            raw.close()
        other.send(Response(topic="down"))
        assert (await end.next()).topic == "down"

    play(kind, tmp_path, scenario)


def test_a_connection_with_garbage_is_closed(tmp_path: Path) -> None:
    async def scenario(link: Kind) -> None:
        raw = await link.raw()
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(raw, GARBAGE["noise"])
        assert await loop.sock_recv(raw, 1) == b""
        raw.close()

    play(Unix, tmp_path, scenario)


# -- keys -------------------------------------------------------------------------------------------------------------


class _Unknown(Tcp):
    """Somebody whose key nobody has admitted."""

    def _admitted(self) -> Keys | None:
        return fresh_keys()


class _Keyless(Tcp):
    """Somebody without any key."""

    def _admitted(self) -> Keys | None:
        return None


class _Misled(Tcp):
    """Somebody who was told another key than the listener has."""

    def _listen(self) -> Endpoint:
        return super()._listen()._replace(pubkey=fresh_keys().public.decode())


@pytest.mark.parametrize("kind", [_Unknown, _Keyless, _Misled])
def test_who_has_no_admitted_key_is_not_heard(kind: type[Tcp], tmp_path: Path) -> None:
    async def scenario(link: Tcp) -> None:
        refused = asyncio.ensure_future(link.connect("stranger"))
        assert await link.noise.get()
        assert not refused.done()
        refused.cancel()

    play(kind, tmp_path, scenario)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(_Unknown, "key refused"), (_Misled, "hung up on: the keys are not of the same session")],
)
def test_whose_key_is_refused_is_told(kind: type[Tcp], reason: str, tmp_path: Path) -> None:
    async def scenario(link: Tcp) -> None:
        refused = asyncio.ensure_future(link.connect("stranger"))
        await link.noise.get()
        assert await link.last.lost == reason
        refused.cancel()

    play(kind, tmp_path, scenario)


# -- the tree's links: marks and events -------------------------------------------------------------------------------

tree_kinds = pytest.mark.parametrize("kind", [Memory, Ipc, Tcp])


@tree_kinds
def test_a_message_brings_its_senders_mark(kind: type[Tree], tmp_path: Path) -> None:
    async def scenario(link: Tree) -> None:
        end, other = await link.connect("child")
        other.send(Request(topic="down"))
        await end.next()
        assert end.marks == other.marks == [MARK]

    play(kind, tmp_path, scenario)


@tree_kinds
def test_whose_hello_has_come_hears_every_event_from_then_on(kind: type[Tree], tmp_path: Path) -> None:
    async def scenario(link: Tree) -> None:
        ends = []
        for n in range(4):
            ends.append((await link.connect(f"child-{n}"))[0])
            link.publish(Event(topic="event", sequence=n + 1))
        for n, end in enumerate(ends):
            assert [(await end.next()).sequence for _ in range(n, 4)] == list(range(n + 1, 5))

    play(kind, tmp_path, scenario)


@tree_kinds
def test_events_come_in_order_and_complete(kind: type[Tree], tmp_path: Path) -> None:
    async def scenario(link: Tree) -> None:
        end, _ = await link.connect("child")
        for n in range(3000):
            link.publish(Event(topic="event", sequence=n + 1, data=b"x" * n))
        for n in range(3000):
            event = await end.next()
            assert (event.sequence, len(event.data or b"")) == (n + 1, n)

    play(kind, tmp_path, scenario)


@pytest.mark.parametrize("frames", [[b""], [b"x"], [b"\0" * 8], [b"\0" * 8 + b"\xff" * 50], [b"a", b"b"], [b"\0" * 40]])
def test_a_neighbour_that_sends_nonsense_is_ignored_and_named(frames: list[bytes], tmp_path: Path) -> None:
    async def scenario(link: Ipc) -> None:
        end, other = await link.connect("child")
        with zmq.Context() as context, context.socket(zmq.SUB) as events, context.socket(zmq.DEALER) as tree:
            events.setsockopt(zmq.SUBSCRIBE, b"nonsense")
            tree.setsockopt(zmq.ROUTING_ID, b"nonsense")
            events.connect(link.endpoint.event)
            tree.connect(link.endpoint.tree)
            tree.send_multipart(frames)
            if frames != [b""]:  # which is a probe
                assert (await link.noise.get()).startswith("ignored a message from b'nonsense': ")
        end.send(Request(topic="up"))
        assert (await other.next()).topic == "up"

    play(Ipc, tmp_path, scenario)
