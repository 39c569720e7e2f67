"""stream in simulated sessions: several writers, slow readers, brokers that die."""

import asyncio
from collections.abc import Awaitable, Callable
from errno import EBUSY, EEXIST, EINVAL, EISDIR, ENOTSUP
from typing import Any

import pytest

from flux.base import iodata, treeobj
from flux.base.streamlog import Fold
from flux.constants import FLUX_KVS_WAITCREATE, FLUX_KVS_WATCH, FLUX_KVS_WATCH_APPEND
from flux.modules.stream.writer import WINDOW
from flux.testing.instance import SIMULATED, Face, SimBroker, SimInstance, simulate
from flux.testing.network import ROUGH

Scenario = Callable[[SimInstance], Awaitable[None]]


def play(scenario: Scenario, size: int = 3, **how: Any) -> None:
    simulate(scenario, size, **({"modules": (*SIMULATED, "kvs-watch", "stream")} | how))


class Out:
    """A client that writes a stream, as fast as it may."""

    def __init__(self, broker: SimBroker, key: str = "log", **more: Any) -> None:
        self.face: Face = broker.client()
        self._answers = self.face.stream("stream.open", {"key": key, **more})
        self._heard = aiter(self._answers)
        self._tag = 0
        self._number = 0
        self.credits = 0

    async def open(self) -> "Out":
        self.credits = (await anext(self._heard))["credits"]
        return self

    async def write(self, data: bytes | None, stream: str = "stdout", rank: str = "0") -> None:
        """Sends data, b"" for an end, None for the farewell."""
        size = len(data or b"")
        while size > self.credits:
            self.credits += (await anext(self._heard))["credits"]
        self.credits -= size
        self._number += 1
        io = {} if data is None else {"io": iodata.encode(stream, rank, data)}
        self.face.notify("stream.write", {"matchtag": 1, "number": self._number, **io})

    async def end(self) -> None:
        """Ends the stream, and waits until that is so."""
        await self.write(b"")
        await self.leave()

    async def leave(self) -> None:
        """Says farewell."""
        await self.write(None)
        assert [answer async for answer in self._heard if "credits" not in answer] == []


class In:
    """A client that follows a stream."""

    def __init__(self, broker: SimBroker, key: str = "log", window: int = 0) -> None:
        self.face: Face = broker.client()
        flags = FLUX_KVS_WATCH | FLUX_KVS_WAITCREATE | FLUX_KVS_WATCH_APPEND
        asked = {"key": key, "namespace": "primary", "flags": flags, "window": window}
        self.fold = Fold()
        self._stream = self.face.stream("kvs-watch.lookup", asked)
        self._answers = aiter(self._stream)

    async def next(self) -> bytes:
        """The data of the next append."""
        lines = treeobj.value_of((await anext(self._answers))["val"])
        return b"".join(said.data for said in self.fold.feed(lines))

    async def all(self) -> bytes:
        """All data up to the end."""
        data = b""
        while not self.fold.ended:
            data += await self.next()
        self._stream.cancel()
        assert [answer async for answer in self._answers] == []
        return data


async def refusal(out: Out) -> int:
    with pytest.raises(OSError, match=r".") as caught:
        await out.open()
    return caught.value.errno or 0


async def idle(flux: SimInstance) -> None:
    """Nobody writes anything any more."""
    stats = await flux[0].rpc("stream.stats-get")
    assert (stats["streams"], stats["writers"]) == (0, 0)


@pytest.mark.parametrize("seed", range(10))
def test_all_readers_see_all_from_the_beginning_in_order_whatever_the_weather(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        early = [In(flux[rank]) for rank in range(flux.size)]
        out = await Out(flux[5]).open()
        late = In(flux[3])
        parts = [b"%d " % number * flux.random.randrange(1, 3000) for number in range(60)]
        for part in parts:
            await out.write(part)
            if flux.random.random() < 0.2:
                await asyncio.sleep(flux.random.random())
        await out.end()
        for reader in (*early, late, In(flux[6])):
            assert await reader.all() == b"".join(parts)
        await idle(flux)

    play(scenario, 7, seed=seed, weather=ROUGH)


@pytest.mark.parametrize("seed", range(10))
def test_what_several_write_is_all_there_each_in_order_and_the_last_one_ends_it(seed: int) -> None:
    async def scenario(flux: SimInstance) -> None:
        async def write(rank: int) -> None:
            await asyncio.sleep(flux.random.random())
            out = await Out(flux[rank], mode="a", writers=flux.size).open()
            for number in range(20):
                await out.write(b"%d:%d\n" % (rank, number))
                await asyncio.sleep(flux.random.random() * 0.1)
            await out.end()

        reader = In(flux[1])
        await asyncio.gather(*map(write, range(flux.size)))
        lines = (await reader.all()).split()
        for rank in range(flux.size):
            assert [line for line in lines if line.startswith(b"%d:" % rank)] == [
                b"%d:%d" % (rank, number) for number in range(20)
            ]
        await idle(flux)

    play(scenario, 7, seed=seed, weather=ROUGH)


def test_a_writer_has_to_wait_for_the_store_and_one_that_does_not_is_refused() -> None:
    async def scenario(flux: SimInstance) -> None:
        out = await Out(flux[1]).open()
        assert out.credits == WINDOW
        await out.write(b"x" * WINDOW)
        await out.write(b"y")
        assert 0 < out.credits < WINDOW
        await out.end()
        assert len(await In(flux[2]).all()) == WINDOW + 1

        greedy = await Out(flux[1], key="other").open()
        greedy.credits = 2 * WINDOW
        await greedy.write(b"x" * (WINDOW + 1))
        with pytest.raises(OSError, match="without waiting for credits"):
            await anext(greedy._heard)
        reader = In(flux[0], "other")
        await reader.all()
        assert "without waiting" in reader.fold.remarks[0]
        await idle(flux)

    play(scenario)


@pytest.mark.parametrize("how", ["leaves", "broker dies", "broker on the way dies"])
def test_a_writer_that_dies_ends_its_stream_and_readers_are_told(how: str) -> None:
    async def scenario(flux: SimInstance) -> None:
        reader = In(flux[2])
        out = await Out(flux[3]).open()
        await out.write(b"before")
        assert await reader.next() + await reader.next() == b"before"
        match how:
            case "leaves":
                flux[3].leave(out.face)
            case "broker dies":
                flux.kill(3)
            case _:
                flux.kill(1)
        assert await reader.all() == b""
        assert reader.fold.remarks == ["a writer was gone before the end"]
        await idle(flux)

    play(scenario, 7)


def test_modes_say_what_may_be_there() -> None:
    async def scenario(flux: SimInstance) -> None:
        one = await Out(flux[1]).open()
        assert await refusal(Out(flux[2])) == EEXIST
        assert await refusal(Out(flux[2], mode="w")) == EBUSY
        await one.leave()
        assert await refusal(Out(flux[2])) == EEXIST
        other = await Out(flux[2], mode="a").open()
        await other.write(b"went on")
        await other.end()
        assert await In(flux[0]).all() == b"went on"
        assert await refusal(Out(flux[2], mode="a")) == EEXIST
        again = await Out(flux[1], mode="w").open()
        await again.end()
        assert await In(flux[0]).all() == b""
        assert await refusal(Out(flux[1], mode="r")) == EINVAL
        assert await refusal(Out(flux[1], streams=[])) == EINVAL
        assert await refusal(Out(flux[1], ranks="x")) == EINVAL
        assert await refusal(Out(flux[1], key="new", namespace="none")) == ENOTSUP
        assert await refusal(Out(flux[1], key=".")) == EEXIST
        assert await refusal(Out(flux[1], key=".", mode="w")) == EISDIR
        await flux[0].rpc(
            "kvs.commit",
            {"namespace": "primary", "flags": 0, "ops": [{"key": "v", "flags": 0, "dirent": treeobj.val(b"1\n")}]},
        )
        assert await refusal(Out(flux[1], key="v", mode="a")) == EINVAL
        await idle(flux)

    play(scenario)


def test_of_those_who_want_to_make_one_stream_at_once_one_does() -> None:
    async def scenario(flux: SimInstance) -> None:
        async def attempt(rank: int) -> int:
            out = Out(flux[rank])
            try:
                await out.open()
            except FileExistsError:
                return 0
            await out.end()
            return 1

        assert sum(await asyncio.gather(*(attempt(rank % 3) for rank in range(12)))) == 1
        await idle(flux)

    play(scenario)


def test_a_slow_reader_gets_no_more_than_it_has_room_for() -> None:
    async def scenario(flux: SimInstance) -> None:
        out = await Out(flux[1]).open()
        for _ in range(20):
            await out.write(b"x" * WINDOW)
        await out.end()
        reader = In(flux[2], window=1000)
        await flux.settle()
        assert 1 <= len(reader._stream._answers) < 8
        while not reader.fold.ended:
            await reader.next()
            reader.face.notify("kvs-watch.credit", {"matchtag": 1, "size": 2 * WINDOW})
        reader._stream.cancel()
        await idle(flux)

    play(scenario)


def test_when_the_module_is_unloaded_streams_end_with_the_reason() -> None:
    async def scenario(flux: SimInstance) -> None:
        out = await Out(flux[1]).open()
        await out.write(b"before")
        reader = In(flux[2])
        await flux[0].rpc("module.remove", {"name": "stream"})
        assert await reader.all() == b"before"
        assert reader.fold.remarks == ["stream was unloaded"]
        with pytest.raises(OSError, match="unloaded"):
            await out.leave()

    play(scenario)
