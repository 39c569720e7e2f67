"""content-sqlite as its broker has it: real files, real threads."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from errno import EBUSY, EINVAL, EIO, ENOENT, ENOSPC
from hashlib import sha1
from pathlib import Path
from random import Random
from typing import Any

import pytest

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.modules.content.service import Content
from flux.modules.content_sqlite.gc import AGE
from flux.modules.content_sqlite.service import ContentSqlite
from flux.runtime.database import open_database
from flux.testing.host import FakeHost
from flux.wire.message import STREAMING

HASH = BlobHash("sha1")
Scenario = Callable[[FakeHost], Awaitable[None]]
Run = Callable[..., None]


async def limited(path: str, prepare: Any, *, durable: bool) -> Any:
    """A database whose file cannot grow much."""
    database = await open_database(path, prepare, durable=durable)
    await database.do(lambda connection: connection.execute("PRAGMA max_page_count = 100").fetchall())
    return database


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(scenario: Scenario, *, durable: bool = True, opening: Any = open_database, **attributes: str) -> None:
        async def play() -> None:
            given = {"statedir": str(tmp_path), "statedir-cleanup": "0" if durable else "1"}
            host = FakeHost(given | {f"content.{key.replace('_', '-')}": value for key, value in attributes.items()})
            host.ports["database"] = opening
            await host.load(Content)
            await host.load(ContentSqlite)
            try:
                await scenario(host)
            finally:
                await host.unload("content-sqlite")
                await host.unload("content")
            assert not [text for _, _, text in host.logged if "Traceback" in text]

        asyncio.run(play())

    return run


both = pytest.mark.parametrize("durable", [True, False], ids=["statedir", "private"])


async def put(host: FakeHost, blob: bytes) -> bytes:
    return (await host.ask("content-backing.store", blob)).payload() or b""


async def get(host: FakeHost, key: bytes) -> bytes:
    return (await host.ask("content-backing.load", key)).payload() or b""


def root(ref: str, sequence: int, **more: Any) -> dict[str, Any]:
    return {"version": 1, "rootref": ref, "sequence": sequence, "timestamp": 1.5} | more


async def commit(host: FakeHost, sequence: int, size: int = 10, **more: Any) -> str:
    value = Random(sequence).randbytes(size)
    ref = HASH.blobref(value)
    blob = treeobj.encode(treeobj.directory({"a": treeobj.valref([ref])}))
    blobs = {ref: value, HASH.blobref(blob): blob}
    await host.call("content.commit", {"blobs": blobs, "root": root(HASH.blobref(blob), sequence, **more)})
    return HASH.blobref(blob)


async def collected(host: FakeHost) -> dict[str, Any]:
    return [figures async for figures in host.stream("content-backing.gc")][-1]


@both
def test_blobs_are_loaded_as_they_were_stored(run: Run, durable: bool) -> None:
    async def scenario(host: FakeHost) -> None:
        for blob in (b"", b"hello", b"a" * 100_000):
            key = await put(host, blob)
            assert key == sha1(blob).digest()
            assert await get(host, key) == blob
            await host.call("content-backing.validate", key)
        assert (await host.refusal("content-backing.load", bytes(20)))[0] == ENOENT
        assert (await host.refusal("content-backing.validate", bytes(20)))[0] == ENOENT

    run(scenario, durable=durable)


@both
def test_roots_of_all_namespaces_are_there_again_after_a_reload(run: Run, durable: bool) -> None:
    async def scenario(host: FakeHost) -> None:
        one = await commit(host, 1)
        two = await commit(host, 2, namespace="mine", owner=7, flags=0)
        await commit(host, 3, namespace="theirs")
        await host.call("content.root-remove", {"namespace": "theirs"})
        assert (await host.refusal("content.root-remove", {"namespace": "theirs"}))[0] == ENOENT
        await host.call("content.checkpoint-put", {"value": root(one, 1)})
        await host.unload("content-sqlite")
        await host.load(ContentSqlite)
        roots = (await host.call("content.roots"))["roots"]
        assert [(one["rootref"], one["sequence"]) for one in roots] == [(one, 1), (two, 2)]
        assert roots[1] == root(two, 2, namespace="mine", owner=7, flags=0)
        assert (await host.call("content.checkpoint-get"))["value"] == [root(one, 1)]
        assert await get(host, bytes.fromhex(one[5:]))

    run(scenario, durable=durable)


@both
def test_what_waits_for_the_disk_is_there_after_a_reload(run: Run, durable: bool) -> None:
    async def scenario(host: FakeHost) -> None:
        await commit(host, 1)
        begun = asyncio.ensure_future(host.call("content.flush"))
        await asyncio.sleep(0)
        refs = [await commit(host, sequence, 100_000) for sequence in range(2, 60)]
        await asyncio.wait([begun])
        await host.unload("content-sqlite")
        await host.load(ContentSqlite)
        assert (await host.call("content.roots"))["roots"][0]["rootref"] == refs[-1]
        for ref in refs:
            assert await get(host, bytes.fromhex(ref[5:]))

    run(scenario, durable=durable)


def test_the_live_root_is_the_first_checkpoint(run: Run) -> None:
    async def scenario(host: FakeHost) -> None:
        assert (await host.refusal("content.checkpoint-get"))[0] == ENOENT
        one = await commit(host, 1)
        await host.call("content.checkpoint-put", {"value": root(one, 1)})
        two = await commit(host, 2)
        assert [value["rootref"] for value in (await host.call("content.checkpoint-get"))["value"]] == [two, one]

    run(scenario)


def test_what_is_no_root_is_refused(run: Run) -> None:
    async def scenario(host: FakeHost) -> None:
        assert (await host.refusal("content.commit", {"blobs": {}, "root": {"rootref": "x"}}))[0] == EINVAL
        assert (await host.refusal("content-backing.checkpoint-put", {"value": {}}))[0] == EINVAL
        assert (await host.refusal("content.commit", {"blobs": {"x": b""}, "root": root(HASH.blobref(b""), 1)}))[0]
        assert (await host.call("content.roots"))["roots"] == []

    run(scenario)


def test_a_commit_that_was_answered_is_in_the_log_of_the_file(run: Run, tmp_path: Path) -> None:
    async def scenario(host: FakeHost) -> None:
        await commit(host, 1)

        def look() -> list[Any]:
            with closing(sqlite3.connect(tmp_path / "content.sqlite")) as connection:
                return connection.execute("SELECT namespace FROM roots").fetchall()

        assert look() == [("primary",)]

    run(scenario)


@both
def test_a_full_disk_refuses_commits_and_goes_on_with_reads(run: Run, durable: bool) -> None:
    async def scenario(host: FakeHost) -> None:
        ref = await commit(host, 1)
        refused: tuple[int, str] = (0, "")
        sequence = 1
        while not refused[0]:
            sequence += 1
            try:
                await commit(host, sequence, 10_000, namespace="large")
            except OSError as error:
                refused = (error.errno or 0, error.strerror or "")
        assert refused[0] == ENOSPC and "content.sqlite: database or disk is full" in refused[1]
        assert await get(host, bytes.fromhex(ref[5:]))
        assert (await host.call("content.roots"))["roots"][0]["rootref"] == ref
        database = host.services["content-sqlite"].database  # type: ignore[attr-defined]
        await database.do(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchall())
        await commit(host, sequence + 1, 10)

    run(scenario, durable=durable, opening=limited, dirty_limit="100K")


@both
def test_garbage_is_collected_on_demand(run: Run, durable: bool) -> None:
    async def scenario(host: FakeHost) -> None:
        for number in range(1, 50):
            last = await commit(host, number)
        await host.call("content.checkpoint-put", {"value": root(last, 49)})
        done = await collected(host)
        assert (done["phase"], done["marked"], done["swept"]) == ("done", 2, 96)
        assert await get(host, bytes.fromhex(last[5:]))
        assert (await host.call("content-sqlite.stats-get"))["object_count"] == 2

    run(scenario, durable=durable)


def test_only_one_collection_at_a_time_and_it_ends_with_its_caller(run: Run) -> None:
    async def scenario(host: FakeHost) -> None:
        await commit(host, 1)
        host.request("content-backing.gc", None, lambda response: None, flags=STREAMING, sender=b"gone")
        assert (await host.refusal("content-backing.gc-info", {"epoch": 0}))[0] == EBUSY
        host.disconnect(b"gone")
        await host.call("content-sqlite.stats-get")
        assert (await collected(host))["marked"] == 2

    run(scenario)


def test_todays_topics_of_a_collection_are_served(run: Run) -> None:
    async def scenario(host: FakeHost) -> None:
        await commit(host, 1)
        told = await host.call("content-backing.gc-info", {"epoch": 0})
        marked = await host.call("content-backing.mark", {"epoch": told["current_epoch"], "hashes": []})
        asked = {"epoch": told["current_epoch"], "cursor": 0, "high_water": told["high_water"]}
        swept = await host.call("content-backing.sweep", asked | {"delete_cap": 10, "window": 10})
        assert (marked, swept) == ({"marked": 0}, {"deleted": 2, "cursor": told["high_water"]})

    run(scenario)


def test_garbage_that_is_most_of_it_is_collected_unasked(run: Run) -> None:
    async def scenario(host: FakeHost) -> None:
        service = host.services["content-sqlite"]
        assert isinstance(service, ContentSqlite)
        assert service.periods["age"] == AGE
        for number in range(1, 5):
            await commit(host, number)
        for _ in range(2):
            service.age()
        while not any("garbage collection: " in text for _, _, text in host.logged):
            number += 1
            await commit(host, number)
        assert [text for _, _, text in host.logged if "garbage" in text] == [
            "garbage collection: 6 blobs removed, 4 stay"
        ]

    run(scenario, gc_threshold="200")


def test_a_damaged_file_is_refused_by_name_and_left_as_it_is(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "content.sqlite"

    async def fill(host: FakeHost) -> None:
        for number in range(1, 50):
            await commit(host, number, 1000)

    async def nothing(host: FakeHost) -> None:
        pass

    run(fill)
    whole = path.read_bytes()
    for damaged in (whole[:-5000], whole[:100], whole[:8192] + bytes(len(whole) - 8192), b"x" * len(whole)):
        path.write_bytes(damaged)
        with pytest.raises(OSError, match=f"{path}: ") as caught:
            run(nothing)
        assert caught.value.errno == EIO
        assert path.read_bytes() == damaged
    path.write_bytes(whole)
    run(nothing)


def test_it_is_for_rank_0_alone() -> None:
    async def scenario() -> None:
        with pytest.raises(OSError, match="only be loaded on rank 0"):
            await FakeHost(rank=1, size=2).load(ContentSqlite)

    asyncio.run(scenario())
