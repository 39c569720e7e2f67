"""flux.stream and flux.aio.stream in a real session."""

import asyncio
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import aclosing

import pytest

import flux
import flux.aio
import flux.aio.stream
import flux.kvs
import flux.stream
from flux.base.streamlog import Fold
from tests.session import Session
from tests.session import session as new_session


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with new_session(3) as running:
        yield running


@pytest.fixture
def h(session: Session) -> Iterator[flux.Flux]:
    with flux.Flux(session.uri) as handle:
        yield handle


def text(reader: flux.stream.Reader) -> bytes:
    return b"".join(said.data for said in reader)


def test_what_one_writes_another_reads(h: flux.Flux) -> None:
    with flux.stream.Writer(h, "a.one") as out:
        out.write(b"hello\n")
        out.write(bytes(range(256)))
    reader = flux.stream.Reader(h, "a.one", follow=True)
    assert text(reader) == b"hello\n" + bytes(range(256))
    assert (reader.ended, reader.remarks) == (True, [])
    assert text(flux.stream.Reader(h, "a.one", tail=0, follow=True)) == b""
    with pytest.raises(FileExistsError, match=r"a\.one"):
        flux.stream.Writer(h, "a.one")
    with pytest.raises(FileNotFoundError):
        text(flux.stream.Reader(h, "a.none"))


def test_a_reader_that_follows_hears_from_another_thread_until_the_end(session: Session, h: flux.Flux) -> None:
    def write() -> None:
        with flux.Flux(session.uri) as other, flux.stream.Writer(other, "followed") as out:
            for number in range(100):
                out.write(b"%d\n" % number)

    reader = flux.stream.Reader(h, "followed", follow=True, wait=True)
    thread = threading.Thread(target=write)
    thread.start()
    assert text(reader) == b"".join(b"%d\n" % number for number in range(100))
    thread.join()
    assert text(flux.stream.Reader(h, "followed", tail=2)) == b"98\n99\n"


def test_a_stream_has_parts_that_end_one_by_one(h: flux.Flux) -> None:
    with flux.stream.Writer(h, "parts", streams=("stdout", "stderr"), ranks="0-1") as out:
        out.write(b"1", rank=1)
        out.write(b"e", "stderr", 0)
        out.end("stderr", 0)
        with pytest.raises(OSError, match="stream stderr of rank 0 has ended"):
            out.write(b"late", "stderr", 0)
        with pytest.raises(OSError, match="is not this writer's"):
            out.write(b"who", rank=2)
    said = [(one.stream, one.rank, one.data) for one in flux.stream.Reader(h, "parts") if one.data]
    assert said == [("stdout", "1", b"1"), ("stderr", "0", b"e")]
    assert flux.stream.stat(h, "parts").ends == {"stdout": (2, 2), "stderr": (2, 2)}


def test_a_block_that_raises_tells_readers(h: flux.Flux) -> None:
    with pytest.raises(ZeroDivisionError), flux.stream.Writer(h, "broken") as out:
        out.write(b"half")
        raise ZeroDivisionError
    reader = flux.stream.Reader(h, "broken", follow=True)
    assert text(reader) == b"half"
    assert reader.remarks == ["a writer was gone before the end"]


def test_streams_are_listed_looked_at_and_removed(h: flux.Flux) -> None:
    with flux.stream.Writer(h, "dir.sub.s") as out:
        out.write(b"x" * 1000)
        flux.kvs.put(h, "dir.value", 1)
        flux.kvs.put(h, "dir.text", "header\n")
        flux.kvs.commit(h)
        assert list(flux.stream.listed(h, "dir")) == []
        assert list(flux.stream.listed(h, "dir", recursive=True)) == ["dir.sub.s"]
        assert flux.stream.stat(h, "dir.sub.s").writers == 1
    stat = flux.stream.stat(h, "dir.sub.s")
    assert (stat.ended, stat.writers, stat.bytes) == (True, 0, {"stdout": 1000})
    with pytest.raises(OSError, match="is not a stream"):
        flux.stream.remove(h, "dir.value")
    with pytest.raises(OSError, match="is not a stream"):
        flux.stream.remove(h, "dir")
    flux.stream.remove(h, "dir.sub.s")
    assert not flux.kvs.exists(h, "dir.sub.s")


def test_a_hundred_megabytes_go_through_in_bounded_memory(session: Session, h: flux.Flux) -> None:
    block = os.urandom(1 << 20)
    with flux.stream.Writer(h, "large") as out:
        out.write(block)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(99):
            out.write(block)
    size = 0
    for said in flux.stream.Reader(h, "large", follow=True):
        at = size % len(block)
        assert said.data == (block + block)[at : at + len(said.data)]
        size += len(said.data)
    assert size == 100 << 20
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 40 << 10  # KiB
    flux.stream.remove(h, "large")


def test_a_reader_that_stops_reading_keeps_its_connection(h: flux.Flux) -> None:
    with flux.stream.Writer(h, "slow") as out:
        out.write(b"x" * (20 << 20))
    reader = flux.stream.Reader(h, "slow")
    said = iter(reader)
    next(said)
    for _ in range(100):
        h.rpc("broker.ping", {}).get()  # all that is sent to it comes now
    assert sum(map(len, (result.data for result in reader._answers.rpc._results))) < 12 << 20
    assert sum(len(one.data) for one in said) + (1 << 16) >= 20 << 20


# -- asyncio -----------------------------------------------------------------------------------------------------------


def test_the_same_with_asyncio(session: Session) -> None:
    async def main() -> None:
        async with flux.aio.connect(session.uri) as h:
            fold = Fold()

            async def read() -> bytes:
                said = flux.aio.stream.read(h, "aio", follow=True, wait=True, fold=fold)
                return b"".join([one.data async for one in said])

            reading = asyncio.create_task(read())
            data = os.urandom(8 << 20)
            async with await flux.aio.stream.Writer.open(h, "aio", streams=("stdout", "stderr")) as out:
                await out.write(data)
                await out.end("stderr")
            assert await reading == data
            assert (fold.ended, fold.remarks) == (True, [])
            with pytest.raises(FileExistsError):
                await flux.aio.stream.Writer.open(h, "aio")

    asyncio.run(main())


def test_with_asyncio_who_leaves_early_is_told_of_no_more(session: Session) -> None:
    async def main() -> None:
        async with flux.aio.connect(session.uri) as h:
            with pytest.raises(ZeroDivisionError):
                async with await flux.aio.stream.Writer.open(h, "aio.broken") as out:
                    await out.write(b"half\n")
                    raise ZeroDivisionError
            async with aclosing(flux.aio.stream.read(h, "aio.broken", follow=True, wait=True)) as said:
                async for one in said:
                    assert one.data == b"half\n"
                    break
            fold = Fold()
            last = [one.data async for one in flux.aio.stream.read(h, "aio.broken", follow=True, tail=1, fold=fold)]
            assert (b"".join(last), fold.remarks) == (b"half\n", ["a writer was gone before the end"])

    asyncio.run(main())
