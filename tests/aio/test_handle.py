"""The asyncio face against a fake broker, with asyncio's loop and with uvloop's."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from errno import ENOBUFS, ENOENT, ENOSYS, EPERM
from pathlib import Path
from typing import Any

import pytest
import uvloop

import flux.aio
from flux.aio import Handle, streams
from flux.runtime.stream import StreamLink
from flux.testing.echo import EchoBroker
from flux.wire.message import Event, Request

Scenario = Callable[[Handle, EchoBroker], Awaitable[None]]
Run = Callable[[Scenario], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    """Runs a scenario with a handle and its broker, in one loop."""

    def runs(scenario: Scenario) -> None:
        async def main() -> None:
            broker = EchoBroker()
            server = await broker.listen(str(tmp_path / "local"))
            try:
                async with flux.aio.connect(f"local://{tmp_path}/local") as h:
                    await asyncio.wait_for(scenario(h, broker), 30)
            finally:
                server.close()
                for link in list(broker.clients):
                    link.abort("the test is over")

        with asyncio.Runner(loop_factory=uvloop.new_event_loop if request.param == "uvloop" else None) as runner:
            runner.run(main())

    return runs


def cancels(broker: EchoBroker) -> list[dict[str, Any]]:
    return [msg.body() for msg in broker.heard if isinstance(msg, Request) and msg.topic == "echo.cancel"]


# -- requests ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_awaited(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        assert await h.rpc("attr.get", {"name": "size"}) == {"value": "16", "flags": 1}
        assert await h.rpc("echo.x") is None
        assert (await h.ask("echo.x", b"\0raw")).data == b"\0raw"
        await h.notify("echo.note", {"a": 1})
        assert await h.rpc("echo.x", {"b": 2}, nodeid=5) == {"b": 2}
        asked = broker.heard[-1]
        assert isinstance(asked, Request)
        assert asked.nodeid == 5

    run(scenario)


def test_many_requests_at_once_are_answered_each_with_its_own(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        answers = await asyncio.gather(*(h.rpc("echo.x", {"n": n}) for n in range(1000)))
        assert [answer["n"] for answer in answers] == list(range(1000))
        assert len(h.session) == 0

    run(scenario)


def test_an_error_answer_is_the_oserror_it_names(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        with pytest.raises(FileNotFoundError, match="no such key"):
            await h.rpc("echo.fail", {"errnum": ENOENT, "text": "no such key"})
        with pytest.raises(OSError) as refused:
            await h.rpc("nosuch.service")
        assert refused.value.errno == ENOSYS

    run(scenario)


def test_a_cancelled_request_keeps_its_matchtag_until_the_answer(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        task = asyncio.create_task(h.rpc("echo.hold"))
        await asyncio.sleep(0)
        await h.rpc("echo.x")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(h.session) == 1
        await h.notify("echo.cancel", {"matchtag": 1})
        await h.rpc("echo.x")
        assert len(h.session) == 0

    run(scenario)


def test_requests_wait_for_a_broker_that_does_not_read(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        (theirs,) = broker.clients
        theirs.pause_reading()
        paused, handles_pause = asyncio.Event(), h.link.on_pause
        assert handles_pause is not None

        def on_pause(link: StreamLink) -> None:
            paused.set()
            handles_pause(link)

        h.link.on_pause = on_pause
        first = asyncio.create_task(h.rpc("echo.x", bytes(4 << 20)))
        await paused.wait()
        second = asyncio.create_task(h.ask("echo.x", b"second"))
        await asyncio.sleep(0)
        assert h.link.waiting < 5 << 20
        assert len(h.session) == 1
        theirs.resume_reading()
        assert (await second).data == b"second"
        with pytest.raises(OSError):
            await first

    run(scenario)


# -- streams ----------------------------------------------------------------------------------------------------------


def test_what_a_loop_does_not_take_is_not_read(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        paused, pause = asyncio.Event(), h.link.pause_reading

        def pausing() -> None:
            pause()
            paused.set()

        monkeypatch.setattr(h.link, "pause_reading", pausing)
        async with h.stream("echo.count", {"upto": 20_000}) as answers:
            await paused.wait()
            assert [answer["n"] async for answer in answers] == list(range(20_000))

    run(scenario)


def test_who_asks_something_for_each_answer_of_a_long_stream_gets_on(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        count = 0
        async for answer in h.stream("echo.count", {"upto": 20_000}):
            if answer["n"] % 1000 == 0:
                count += (await h.rpc("echo.x", {"n": 1}))["n"]
                async with h.events(f"a{count}."):
                    pass
        assert count == 20

    run(scenario)


def test_a_loop_that_takes_nothing_while_others_must_be_served_is_ended(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "TOO_MUCH", 2 << 20)

    async def scenario(h: Handle, broker: EchoBroker) -> None:
        async with h.stream("echo.count", {"upto": 20_000}) as answers, h.events("a.") as events:
            for _ in range(10_000):
                await h.publish("a.b")
            await h.rpc("echo.x")  # all has come now
            for loop in (answers, events):
                with pytest.raises(OSError, match="2 MiB came that were not taken") as dropped:
                    async for _ in loop:
                        pass
                assert dropped.value.errno == ENOBUFS
        await h.rpc("echo.x")
        assert len(cancels(broker)) == 1
        assert [msg.topic for msg in broker.heard if isinstance(msg, Request)].count("event.unsubscribe") == 1

    run(scenario)


def test_a_stream_is_a_loop(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        assert [answer["n"] async for answer in h.stream("echo.count", {"upto": 500})] == list(range(500))
        with pytest.raises(PermissionError, match="no"):
            async for _ in h.stream("echo.fail", {"errnum": EPERM, "text": "no"}):
                pass
        assert len(h.session) == 0

    run(scenario)


def test_a_loop_that_ends_early_tells_the_service(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        async for answer in h.stream("echo.hold"):
            assert answer == {"held": True}
            break
        gc.collect()
        await h.rpc("echo.x")
        assert cancels(broker) == [{"matchtag": 1}]
        assert len(h.session) == 0

    run(scenario)


def test_a_cancelled_loop_tells_the_service(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        began: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def follow() -> None:
            async for _ in h.stream("echo.hold"):
                began.set_result(None)

        task = asyncio.create_task(follow())
        await began
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await h.rpc("echo.x")
        assert cancels(broker) == [{"matchtag": 1}]

    run(scenario)


def test_a_stream_may_be_closed_by_hand(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        async with aclosing(h.stream("echo.hold")) as stream:
            await anext(stream)
        async with h.stream("echo.hold") as stream:
            await anext(stream)
        stream.close()
        assert [answer async for answer in stream] == []
        await h.rpc("echo.x")
        assert len(cancels(broker)) == 2

    run(scenario)


# -- events -----------------------------------------------------------------------------------------------------------


def test_events_are_heard_by_their_prefix_in_order(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        async with h.events("a") as events:
            for topic in ("a.1", "b.1", "a.2"):
                await h.publish(topic, {"topic": topic})
            assert [(await anext(events)).payload["topic"] for _ in range(2)] == ["a.1", "a.2"]
        assert h.session.subscriptions == frozenset()

    run(scenario)


def test_two_may_listen_and_each_hears_all(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        first, second = h.events("a"), h.events("a")
        await h.publish("a.1")
        assert [(await anext(first)).topic, (await anext(second)).topic] == ["a.1", "a.1"]
        first.close()
        await h.publish("a.2")
        assert (await anext(second)).topic == "a.2"
        assert [msg.topic for msg in broker.heard if isinstance(msg, Request)] == ["event.subscribe"]

    run(scenario)


def test_events_that_nobody_listens_to_any_more_are_unsubscribed(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        listener = h.events("b")
        await h.publish("b.1")
        async for event in listener:
            assert event.topic == "b.1"
            break
        (client,) = broker.clients.values()
        assert client.prefixes == ["b"]
        del listener
        gc.collect()
        await h.rpc("echo.x")
        assert client.prefixes == []

    run(scenario)


def test_a_refused_subscription_says_why(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        def refuse(request: Request) -> None:
            raise OSError(EPERM, "not you")

        broker.answers["event.subscribe"] = refuse
        with pytest.raises(PermissionError, match="not you"):
            async with h.events("a"):
                pass
        with pytest.raises(PermissionError, match="not you"):
            await anext(h.events("b"))

    run(scenario)


def test_a_published_event_may_be_private(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        await h.publish("a.b", {"x": 1}, private=True)
        await h.rpc("echo.x")
        event = broker.heard[0]
        assert isinstance(event, Event)
        assert (event.topic, event.body(), event.flags) == ("a.b", {"x": 1}, 0x20)

    run(scenario)


# -- its end ----------------------------------------------------------------------------------------------------------


def test_a_lost_broker_is_reported_to_all_who_wait(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        waiting = [
            asyncio.ensure_future(h.rpc("echo.hold")),
            asyncio.ensure_future(anext(h.events("a"))),
            asyncio.ensure_future(anext(h.stream("echo.none.such"))),
            asyncio.ensure_future(h.rpc("echo.die")),
        ]
        await asyncio.wait(waiting)
        for task in (waiting[0], waiting[1], waiting[3]):
            with pytest.raises(ConnectionResetError, match="lost connection to the broker"):
                task.result()
        with pytest.raises(ConnectionResetError, match="lost connection to the broker"):
            await h.rpc("echo.x")

    run(scenario)


def test_a_closed_handle_says_so(run: Run) -> None:
    async def scenario(h: Handle, broker: EchoBroker) -> None:
        held, stream = asyncio.ensure_future(h.rpc("echo.hold")), h.stream("echo.hold")
        await h.rpc("echo.x")
        await h.close()
        with pytest.raises(OSError, match="the handle is closed"):
            await held
        assert await anext(stream) == {"held": True}
        with pytest.raises(OSError, match="the handle is closed"):
            await anext(stream)
        with pytest.raises(OSError, match="the handle is closed"):
            h.stream("echo.x")

    run(scenario)


# -- connecting -------------------------------------------------------------------------------------------------------


def test_a_dead_socket_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_LOCAL_CONNECTOR_RETRY_COUNT", "1")

    async def main() -> None:
        await flux.aio.connect(f"local://{tmp_path}/local-0")

    with pytest.raises(FileNotFoundError, match="local-0: No such file"):
        asyncio.run(main())


def test_a_broker_may_refuse(tmp_path: Path) -> None:
    async def main() -> None:
        broker = EchoBroker()
        broker.refuse_with = EPERM
        server = await broker.listen(str(tmp_path / "local"))
        with pytest.raises(PermissionError, match="local: Operation not permitted"):
            async with flux.aio.connect(f"local://{tmp_path}/local"):
                pass
        server.close()

    asyncio.run(main())


def test_no_session_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLUX_URI", raising=False)
    monkeypatch.setattr("flux.runtime.local.SYSTEM_SOCKET", "/nonexistent/local")

    async def main() -> None:
        await flux.aio.connect()

    with pytest.raises(FileNotFoundError, match="FLUX_URI is not set"):
        asyncio.run(main())
