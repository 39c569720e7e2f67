"""`flux.kvs` and `flux.aio.kvs`: watching, namespaces, copies, large values."""

import asyncio
import errno
from collections.abc import Iterator
from contextlib import aclosing

import pytest

import flux
import flux.kvs
from flux.aio import Handle, connect
from flux.aio import kvs as aio_kvs
from flux.core.handle import Flux
from flux.eventlog import EventLogEvent, EventLogFormatter
from flux.future import Future
from flux.kvs import KVSTxn, KVSWatchFuture, WatchImplementation
from tests.session import Session

LARGE = bytes(range(256)) * (5 << 12)


@pytest.fixture
def h(session: Session) -> Iterator[Flux]:
    """A handle; there is nothing at t."""
    with flux.Flux(session.uri) as handle:
        flux.kvs.put_unlink(handle, "t")
        flux.kvs.commit(handle)
        yield handle


def put(handle: Flux, **values: object) -> None:
    with KVSTxn(handle, "t") as txn:
        for name, value in values.items():
            txn.put(name, value)


# -- watches -----------------------------------------------------------------------------------------------------------


def test_a_watch_gives_each_value_and_none_at_the_end(h: Flux) -> None:
    watch = flux.kvs.kvs_watch_async(h, "t.a", waitcreate=True)
    assert isinstance(watch, KVSWatchFuture) and isinstance(watch, WatchImplementation) and isinstance(watch, Future)
    for value in (1, "two", [3]):
        put(h, a=value)
        assert watch.get(autoreset=False) == watch.get() == value
    watch.cancel()
    assert watch.get() is None


def test_a_watch_by_callback_ends_with_its_stream(h: Flux) -> None:
    put(h, a=0)
    seen = []

    def told(future: KVSWatchFuture) -> None:
        value = future.get()
        seen.append(value)
        if value == 3:
            future.cancel()
        elif value is not None:
            put(h, a=value + 1)

    flux.kvs.kvs_watch_async(h, "t.a").then(told)
    h.reactor_run()
    assert seen == [0, 1, 2, 3, None]


def test_uniq_and_full_are_as_in_the_service(h: Flux) -> None:
    put(h, a=1)
    uniq = flux.kvs.kvs_watch_async(h, "t.a", uniq=True)
    full = flux.kvs.kvs_watch_async(h, "t.a", full=True)
    assert (uniq.get(), full.get()) == (1, 1)
    put(h, a=1)
    put(h, a=2)
    assert (uniq.get(), full.get()) == (2, 2)
    with KVSTxn(h) as txn:
        txn.unlink("t")
    with pytest.raises(OSError, match="No such file") as caught:
        full.get()
    assert caught.value.errno == errno.ENOENT


def test_a_watch_that_is_given_up_is_cancelled(h: Flux) -> None:
    put(h, a=1)
    watch = flux.kvs.kvs_watch_async(h, "t.a")
    watch.get()
    assert h.rpc("kvs-watch.stats-get").get()["watchers"] == 1
    del watch
    assert h.rpc("kvs-watch.stats-get").get()["watchers"] == 0


# -- namespaces, copies, large values ----------------------------------------------------------------------------------


def test_namespaces_are_created_listed_and_removed(h: Flux) -> None:
    flux.kvs.namespace_create(h, "api")
    with pytest.raises(FileExistsError):
        flux.kvs.namespace_create(h, "api")
    assert set(flux.kvs.namespace_list(h)) >= {"primary", "api"}
    put(h, a=1, b=2)
    flux.kvs.copy(h, "t", "u", dst_namespace="api")
    flux.kvs.move(h, "t.a", "t.c.d")
    assert list(flux.kvs.get_dir(h, "t")) == ["b", "c"] and flux.kvs.get(h, "t.c.d") == 1
    flux.kvs.move_async(h, "u.b", "t.e", "api").get()
    flux.kvs.copy_async(h, "t.e", "t.f").get()
    assert (flux.kvs.get(h, "t.f"), flux.kvs.get(h, "u.a", "api")) == (2, 1)
    assert not flux.kvs.exists(h, "u.b", "api")
    with pytest.raises(FileNotFoundError):
        flux.kvs.move_async(h, "t.never", "t.g").get()
    flux.kvs.namespace_remove(h, "api")
    assert "api" not in flux.kvs.namespace_list(h)


def test_large_values_are_references_in_their_commit(h: Flux) -> None:
    put(h, large=LARGE, small=b"x" * 1000)
    assert flux.kvs.get(h, "t.large") == LARGE
    asked = h.rpc("kvs.lookup", {"key": "t.large", "flags": 0, "namespace": "primary", "large": 1000}).get()
    assert asked["val"]["type"] == "valref"
    assert flux.kvs.lookup(h, "t.large")["type"] == "val"
    with KVSTxn(h, "t") as txn:
        txn.put("large", b"end", append=True)
    assert flux.kvs.get(h, "t.large") == LARGE + b"end"


# -- asyncio -----------------------------------------------------------------------------------------------------------


def test_a_watch_is_a_loop(session: Session, h: Flux) -> None:
    async def play(handle: Handle) -> None:
        await aio_kvs.put(handle, {"t.a": 0})
        seen = []
        async with aclosing(aio_kvs.watch(handle, "t.a")) as values:
            async for value in values:
                seen.append(value)
                if value == 3:
                    break
                await aio_kvs.put(handle, {"t.a": value + 1})
        assert seen == [0, 1, 2, 3]
        assert (await handle.rpc("kvs-watch.stats-get"))["watchers"] == 0
        with pytest.raises(FileNotFoundError):
            await anext(aio_kvs.watch(handle, "t.never"))

    asyncio.run(_with(session, play))


def test_the_store_is_the_same_by_asyncio(session: Session, h: Flux) -> None:
    async def play(handle: Handle) -> None:
        await aio_kvs.put(handle, {"t.large": LARGE, "t.a": [1]})
        assert await aio_kvs.get(handle, "t.large") == LARGE == flux.kvs.get(h, "t.large")
        await aio_kvs.namespace_create(handle, "aio")
        assert "aio" in await aio_kvs.namespace_list(handle)
        await aio_kvs.copy(handle, "t.a", "b", dst_namespace="aio")
        await aio_kvs.move(handle, "t.a", "t.b")
        assert await aio_kvs.get(handle, "b", "aio") == await aio_kvs.get(handle, "t.b") == [1]
        with pytest.raises(FileNotFoundError, match=r"t\.a"):
            await aio_kvs.get(handle, "t.a")
        await aio_kvs.namespace_remove(handle, "aio")

    asyncio.run(_with(session, play))


async def _with(session: Session, play: "object") -> None:
    async with connect(session.uri) as handle:
        await play(handle)  # type: ignore[operator]


# -- flux.eventlog -----------------------------------------------------------------------------------------------------


def test_events_have_what_is_in_them_as_attributes() -> None:
    event = EventLogEvent('{"timestamp":1.5,"name":"begin"}')
    assert (event.timestamp, event.name, event.context, event.context_string) == (1.5, "begin", {}, "")
    assert str(event) == "1.50000: begin {}"
    assert EventLogEvent({"timestamp": 1, "name": "n", "context": {"b": 1, "a": 2}}).context_string == '{"a":2,"b":1}'


def test_events_are_formatted_as_asked_for() -> None:
    events = [{"timestamp": 1600000000.25, "name": "a"}, {"timestamp": 1600000001.5, "name": "b", "context": {"n": 1}}]

    def shown(*how: str) -> list[str]:
        formatter = EventLogFormatter(*how)
        return [formatter.format(event) for event in events]

    assert shown() == ["1600000000.250000 a", "1600000001.500000 b n=1"]
    assert shown("text", "offset") == ["       0.000000 a", "       1.250000 b n=1"]
    assert shown("text", "reltime")[1] == "[  +1.250000] b n=1"
    assert shown("json") == [
        '{"timestamp":1600000000.25,"name":"a"}',
        '{"timestamp":1600000001.5,"name":"b","context":{"n":1}}',
    ]
    assert "T" in shown("text", "iso")[0] and ".250000" in shown("text", "iso")[0]
    assert shown("text", "raw", "always")[0] == "\033[32m1600000000.250000\033[0m \033[33ma\033[0m"
    for wrong in (("xml",), ("text", "never"), ("text", "raw", "red")):
        with pytest.raises(ValueError, match="Invalid"):
            EventLogFormatter(*wrong)
