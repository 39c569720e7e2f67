"""content-files as its broker has it: real files."""

import asyncio
from collections.abc import Awaitable, Callable
from errno import EINVAL, EIO, ENOENT
from pathlib import Path
from typing import Any

import pytest

from flux.base.blobref import BlobHash
from flux.modules.content.service import Content
from flux.modules.content_files.service import ContentFiles
from flux.runtime.shelf import open_shelf
from flux.testing.host import FakeHost
from tests.session import flux

HASH = BlobHash("sha1")


def run(where: Path, scenario: Callable[[FakeHost], Awaitable[None]]) -> None:
    async def play() -> None:
        host = FakeHost({"statedir": str(where)})
        host.ports["shelf"] = open_shelf
        await host.load(Content)
        await host.load(ContentFiles)
        try:
            await scenario(host)
        finally:
            await host.unload("content-files")
            await host.unload("content")

    asyncio.run(play())


async def ask(host: FakeHost, method: str, data: Any = None) -> bytes:
    return (await host.ask(f"content-backing.{method}", data)).payload() or b""


def root(ref: str, sequence: int, **more: Any) -> dict[str, Any]:
    return {"version": 1, "rootref": ref, "sequence": sequence, "timestamp": 1.5} | more


def test_a_blob_is_a_file_that_has_its_blobref_as_a_name(tmp_path: Path) -> None:
    async def scenario(host: FakeHost) -> None:
        for blob in (b"", b"x", b"\0" * 1_000_000):
            assert await ask(host, "store", blob) == HASH.digest(blob)
            assert await ask(host, "load", HASH.digest(blob)) == blob
        assert (await host.refusal("content-backing.load", b"7" * 20))[0] == ENOENT
        assert (await host.refusal("content-backing.validate", b"7" * 20))[0] == ENOENT
        await ask(host, "validate", HASH.digest(b"x"))

    run(tmp_path, scenario)
    ref = HASH.blobref(b"x")
    assert (tmp_path / "content.files" / ref[5:7] / ref).read_bytes() == b"x"
    assert not list(tmp_path.rglob(".part-*"))


def test_roots_of_all_namespaces_and_checkpoints_come_back(tmp_path: Path) -> None:
    one, two = HASH.blobref(b"1"), HASH.blobref(b"2")

    async def first(host: FakeHost) -> None:
        await ask(host, "commit", {"blobs": {one: b"1"}, "root": root(one, 1, namespace="primary", owner=7, flags=0)})
        await ask(host, "commit", {"blobs": {two: b"2"}, "root": root(two, 5, namespace="ns", owner=8, flags=0)})
        await ask(host, "checkpoint-put", {"value": root(two, 2)})

    async def second(host: FakeHost) -> None:
        found = await host.call("content-backing.roots")
        assert [(one["namespace"], one["sequence"]) for one in found["roots"]] == [("primary", 2), ("ns", 5)]
        assert (await host.call("content-backing.checkpoint-get"))["value"][0] == root(two, 2)
        assert await ask(host, "load", HASH.digest(b"1")) == b"1"
        await host.call("content-backing.root-remove", {"namespace": "ns"})
        assert (await host.refusal("content-backing.root-remove", {"namespace": "ns"}))[0] == ENOENT
        assert len((await host.call("content-backing.roots"))["roots"]) == 1

    run(tmp_path, first)
    run(tmp_path, second)


def test_what_is_damaged_is_named(tmp_path: Path) -> None:
    async def store(host: FakeHost) -> None:
        await ask(host, "store", b"good")

    async def load(host: FakeHost) -> None:
        errnum, text = await host.refusal("content-backing.load", HASH.digest(b"good"))
        assert errnum == EIO and text.endswith(f"{HASH.blobref(b'good')} is damaged")

    run(tmp_path, store)
    next(tmp_path.rglob("sha1-*")).write_bytes(b"bad")
    run(tmp_path, load)
    (tmp_path / "content.files" / "roots.json").write_bytes(b"{")
    with pytest.raises(OSError, match=r"content\.files: roots\.json is damaged") as caught:
        run(tmp_path, load)
    assert caught.value.errno == EINVAL


def test_a_session_on_files_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    start = ("start", "--statedir", str(tmp_path / "s"), "-Scontent.backing-module=content-files", "sh", "-c")
    assert flux(*start, "flux kvs put a.b=1 && flux kvs namespace create ns && flux kvs put -N ns c=2").code == 0
    done = flux(*start, "flux kvs get a.b && flux kvs get -N ns c && flux module list | grep -c content-files")
    assert (done.code, done.out, done.err) == (0, "1\n2\n1\n", "")
