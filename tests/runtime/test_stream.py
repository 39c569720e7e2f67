"""Messages over a stream in an event loop, with asyncio's loop and with uvloop's."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from flux.runtime.stream import StreamLink
from flux.wire.framing import pack
from flux.wire.message import Message, Request, Response

Scenario = Callable[["Pair"], Awaitable[None]]


class End:
    """One end of a connection, and what it has heard."""

    def __init__(self, high_water: int = 1 << 20, limit: int = 1 << 30) -> None:
        self.received: list[Message] = []
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.awaited: dict[int, asyncio.Future[None]] = {}
        self.act: Callable[[StreamLink, Message], None] = lambda link, msg: None
        self.link = StreamLink(self.receive, self.lose, high_water=high_water, limit=limit)

    def receive(self, link: StreamLink, msg: Message) -> None:
        self.received.append(msg)
        self.act(link, msg)
        if len(self.received) in self.awaited:
            self.awaited.pop(len(self.received)).set_result(None)

    def lose(self, link: StreamLink, reason: str) -> None:
        self.lost.set_result(reason)

    async def until(self, count: int) -> list[Message]:
        """Waits until so many messages have come."""
        if len(self.received) < count:
            self.awaited[count] = asyncio.get_running_loop().create_future()
            await self.awaited[count]
        return self.received


class Pair:
    """Two ends; `raw` is the second one's socket when nothing speaks the protocol there."""

    def __init__(self, a: End, b: End) -> None:
        self.a, self.b = a, b


async def connected(high_water: int, limit: int, talking: bool) -> tuple[Pair, socket.socket | None]:
    loop = asyncio.get_running_loop()
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    pair = Pair(End(high_water, limit), End())
    await loop.create_unix_connection(lambda: pair.a.link, sock=left)
    if not talking:
        return pair, right
    await loop.create_unix_connection(lambda: pair.b.link, sock=right)
    return pair, None


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Runs a scenario with a connected pair of ends."""

    def runs(scenario: Scenario, high_water: int = 1 << 20, limit: int = 1 << 30) -> None:
        async def main() -> None:
            pair, _ = await connected(high_water, limit, talking=True)
            await scenario(pair)
            pair.a.link.close()
            pair.b.link.close()
            await asyncio.gather(pair.a.lost, pair.b.lost)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop if request.param == "uvloop" else None) as runner:
            runner.run(main())

    return runs


def test_messages_arrive_whole_and_in_order(run: Callable[..., None]) -> None:
    async def scenario(pair: Pair) -> None:
        sent = [Request(topic=f"a.{n}", data=b"x" * size, matchtag=n) for n, size in enumerate([0, 1, 300, 1 << 20, 5])]
        for msg in sent:
            pair.a.link.send(msg)
        assert await pair.b.until(len(sent)) == sent

    run(scenario)


def test_answers_from_within_receive_come_back_in_order(run: Callable[..., None]) -> None:
    async def scenario(pair: Pair) -> None:
        def echo(link: StreamLink, msg: Message) -> None:
            assert isinstance(msg, Request)
            link.send(Response(topic=msg.topic, matchtag=msg.matchtag))

        pair.b.act = echo
        for n in range(1000):
            pair.a.link.send(Request(topic="a.b", matchtag=n))
        answers = await pair.a.until(1000)
        assert [msg.matchtag for msg in answers if isinstance(msg, Response)] == list(range(1000))

    run(scenario)


def test_what_is_sent_in_one_turn_leaves_in_one_write(run: Callable[..., None]) -> None:
    async def scenario(pair: Pair) -> None:
        for n in range(3):
            pair.a.link.send(Request(topic="a.b", matchtag=n))
        assert pair.a.link.waiting == 3 * len(pack(Request(topic="a.b")))
        await pair.b.until(3)
        assert pair.a.link.waiting == 0

    run(scenario)


def test_a_peer_that_does_not_read_pauses_the_link(run: Callable[..., None]) -> None:
    async def scenario(pair: Pair) -> None:
        changes: asyncio.Queue[bool] = asyncio.Queue()
        pair.a.link.on_pause = lambda link: changes.put_nowait(link.paused)
        pair.b.link.pause_reading()
        pair.a.link.send(Request(topic="a.b", data=b"x" * (4 << 20)))
        assert await changes.get() is True
        assert pair.a.link.waiting > 1 << 20
        pair.b.link.resume_reading()
        assert await changes.get() is False
        await pair.b.until(1)

    run(scenario)


def test_close_sends_what_was_sent_before_it(run: Callable[..., None]) -> None:
    async def scenario(pair: Pair) -> None:
        pair.a.link.send(Request(topic="a.b"))
        pair.a.link.close("enough")
        pair.a.link.send(Request(topic="too.late"))
        assert await pair.a.lost == "enough"
        assert await pair.b.lost == "connection closed by peer"
        assert pair.b.received == [Request(topic="a.b")]

    run(scenario)


def test_a_link_that_closes_in_receive_receives_no_more(run: Callable[..., None]) -> None:
    async def scenario(pair: Pair) -> None:
        pair.b.act = lambda link, msg: link.close("one is enough")
        for _ in range(5):
            pair.a.link.send(Request(topic="a.b"))
        assert await pair.b.lost == "one is enough"
        assert len(pair.b.received) == 1

    run(scenario)


def test_a_message_over_the_limit_closes_the_connection(run: Callable[..., None]) -> None:
    async def scenario(pair: Pair) -> None:
        pair.b.link.send(Request(topic="a.b", data=b"x" * 2000))
        assert "over the limit" in await pair.a.lost
        assert not pair.a.received

    run(scenario, limit=1000)


@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop])
def test_garbage_closes_the_connection_and_says_why(loop: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
    async def main() -> None:
        pair, raw = await connected(1 << 20, 1 << 30, talking=False)
        assert raw is not None
        with raw:
            raw.send(b"GET / HTTP/1.1\r\n\r\n")
            assert await pair.a.lost == "stream lost its framing"

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
