"""content-files as its broker has it: real files, real threads."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from errno import EINVAL, EIO, ENOENT
from hashlib import sha1
from pathlib import Path
from typing import Any

import pytest

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.modules.content.service import Content
from flux.modules.content_shelf.files import ContentFiles
from flux.modules.content_shelf.service import AGE
from flux.runtime.fileshelf import Files, open_files
from flux.runtime.shelf import Threads
from flux.testing.host import FakeHost

HASH = BlobHash("sha1")
Scenario = Callable[[FakeHost], Awaitable[None]]
Run = Callable[..., None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(scenario: Scenario, opening: Any = open_files, **attributes: str) -> None:
        async def play() -> None:
            given = {"statedir": str(tmp_path)} | {f"content.{key}": value for key, value in attributes.items()}
            host = FakeHost(given, ports={"files": opening})
            await host.load(Content)
            try:
                await host.load(ContentFiles)
                await scenario(host)
            finally:
                for name in ("content-files", "content"):
                    if name in host.services:
                        await host.unload(name)
            assert not [text for _, _, text in host.logged if "Traceback" in text]

        asyncio.run(play())

    return run


def root(ref: str, sequence: int, **more: Any) -> dict[str, Any]:
    return {"version": 1, "rootref": ref, "sequence": sequence, "timestamp": 1.5} | more


async def commit(host: FakeHost, sequence: int, **more: Any) -> str:
    value = b"value %d" % sequence
    blob = treeobj.encode(treeobj.directory({"a": treeobj.valref([HASH.blobref(value)])}))
    ref = HASH.blobref(blob)
    blobs = {HASH.blobref(value): value, ref: blob}
    await host.call("content.commit", {"blobs": blobs, "root": root(ref, sequence, **more)})
    return ref


async def put(host: FakeHost, blob: bytes) -> bytes:
    return (await host.ask("content-backing.store", blob)).payload() or b""


async def get(host: FakeHost, key: bytes) -> bytes:
    return (await host.ask("content-backing.load", key)).payload() or b""


async def collected(host: FakeHost) -> dict[str, Any]:
    return [figures async for figures in host.stream("content-backing.gc")][-1]


def test_a_blob_is_a_file_that_has_its_name(run: Run, tmp_path: Path) -> None:
    async def scenario(host: FakeHost) -> None:
        for blob in (b"", b"hello", b"a" * 100_000):
            key = await put(host, blob)
            assert key == sha1(blob).digest()
            assert (tmp_path / "content.files" / f"sha1-{key.hex()}").read_bytes() == blob
            assert await get(host, key) == blob
            await host.call("content-backing.validate", key)
        assert (await host.refusal("content-backing.load", bytes(20)))[0] == ENOENT
        assert (await host.refusal("content-backing.validate", bytes(20)))[0] == ENOENT
        assert (await host.call("content-files.stats-get"))["object_count"] == 3

    run(scenario)


def test_a_file_that_was_changed_is_not_valid(run: Run, tmp_path: Path) -> None:
    async def scenario(host: FakeHost) -> None:
        key = await put(host, b"hello")
        (tmp_path / "content.files" / f"sha1-{key.hex()}").write_bytes(b"hullo")
        assert (await host.refusal("content-backing.validate", key))[0] == EIO
        assert (await host.refusal("content.load", key))[0] == EIO

    run(scenario)


def test_roots_of_all_namespaces_are_there_again_after_a_reload(run: Run) -> None:
    async def scenario(host: FakeHost) -> None:
        one = await commit(host, 1)
        two = await commit(host, 2, namespace="mine", owner=7, flags=0)
        await commit(host, 3, namespace="theirs")
        await host.call("content.root-remove", {"namespace": "theirs"})
        assert (await host.refusal("content.root-remove", {"namespace": "theirs"}))[0] == ENOENT
        await host.call("content.checkpoint-put", {"value": root(one, 1)})
        await host.unload("content-files")
        await host.load(ContentFiles)
        roots = (await host.call("content.roots"))["roots"]
        assert [(each["rootref"], each["sequence"]) for each in roots] == [(one, 1), (two, 2)]
        assert roots[1] == root(two, 2, namespace="mine", owner=7, flags=0)
        assert (await host.call("content.checkpoint-get"))["value"] == [root(one, 1)]
        assert await get(host, bytes.fromhex(one[5:]))

    run(scenario)


def test_commits_that_come_together_are_made_in_their_order(run: Run) -> None:
    async def scenario(host: FakeHost) -> None:
        refs = await asyncio.gather(*(commit(host, number) for number in range(100)))
        assert (await host.call("content.roots"))["roots"] == [root(refs[-1], 99)]
        for ref in refs:
            assert await get(host, bytes.fromhex(ref[5:]))

    run(scenario)


def test_what_nothing_leads_to_is_removed_unless_it_came_just_now(run: Run) -> None:
    async def scenario(host: FakeHost) -> None:
        old, new = await commit(host, 1), await commit(host, 2)
        loose = await put(host, b"on its way")
        done = await collected(host)
        assert (done["phase"], done["swept"]) == ("done", 2)
        assert (await host.refusal("content-backing.load", bytes.fromhex(old[5:])))[0] == ENOENT
        assert await get(host, bytes.fromhex(new[5:])) and await get(host, loose)
        store = host.services["content-files"]
        assert isinstance(store, ContentFiles)
        store._loose = {key: when - AGE for key, when in store._loose.items()}
        assert (await collected(host))["swept"] == 1

    run(scenario)


class Interrupted(Threads):
    """A shelf on which something happens when the first blob is about to be removed."""

    happens: Callable[[], Awaitable[None]] | None = None

    async def remove(self, name: str) -> None:
        happens, self.happens = self.happens, None
        if happens is not None:
            await happens()
        await super().remove(name)


def test_what_is_committed_while_garbage_is_removed_stays(run: Run) -> None:
    async def opening(path: str) -> Interrupted:
        shelves.append(Interrupted(Files(path), 4))
        await shelves[0].open()
        return shelves[0]

    async def scenario(host: FakeHost) -> None:
        async def happens() -> None:
            with pytest.raises(OSError, match="a garbage collection is under way"):
                await collected(host)
            again.extend(asyncio.ensure_future(commit(host, number)) for number in range(100))

        refs = [await commit(host, number) for number in range(101)]
        shelves[0].happens = happens
        await collected(host)
        assert await asyncio.gather(*again) == refs[:100]
        for ref in refs:
            blob = await get(host, bytes.fromhex(ref[5:]))
            (below, _), *_ = treeobj.refs(treeobj.decode(blob))
            assert await get(host, bytes.fromhex(below[5:]))

    shelves: list[Interrupted] = []
    again: list[asyncio.Future[str]] = []
    run(scenario, opening)


def test_a_directory_that_is_missing_ends_a_collection_before_anything_is_removed(run: Run, tmp_path: Path) -> None:
    async def scenario(host: FakeHost) -> None:
        await commit(host, 1)
        ref = await commit(host, 2)
        (tmp_path / "content.files" / ref).unlink()
        before = sorted(path.name for path in (tmp_path / "content.files").iterdir())
        with pytest.raises(OSError, match="nothing was removed"):
            await collected(host)
        assert sorted(path.name for path in (tmp_path / "content.files").iterdir()) == before

    run(scenario)


async def nothing(host: FakeHost) -> None:
    pass


def test_half_a_file_is_taken_away(run: Run, tmp_path: Path) -> None:
    (tmp_path / "content.files").mkdir()
    (tmp_path / "content.files" / ".new-1").write_bytes(b"hel")
    run(nothing)
    assert list((tmp_path / "content.files").iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "roots: is damaged"),
        (b'{"version":2,"live":[],"checkpoints":[]}', "roots: is of format 2, this program knows 1"),
        (json.dumps({"version": 1, "live": [root("x", 1)], "checkpoints": []}).encode(), "not a root"),
        (json.dumps({"version": 1, "live": [root("sha1-" + 40 * "1", 1)], "checkpoints": []}).encode(), "there is no"),
        (json.dumps({"version": 1, "live": [root("sha256-" + 64 * "1", 1)], "checkpoints": []}).encode(), "has sha256"),
    ],
)
def test_what_is_damaged_or_not_ours_is_refused_and_kept(run: Run, tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "content.files").mkdir()
    (tmp_path / "content.files" / "roots").write_bytes(text)
    with pytest.raises(OSError, match=said):
        run(nothing)
    assert (tmp_path / "content.files" / "roots").read_bytes() == text


def test_a_directory_that_cannot_be_one_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "content.files").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"content\.files: Not a directory"):
        run(nothing)


def test_a_commit_whose_blob_cannot_be_kept_is_refused_and_its_root_is_not_kept(run: Run, tmp_path: Path) -> None:
    async def scenario(host: FakeHost) -> None:
        one = await commit(host, 1)
        (tmp_path / "content.files" / HASH.blobref(b"value 2")).mkdir()
        with pytest.raises(OSError, match=r"content\.files"):
            await commit(host, 2)
        assert (await host.call("content.roots"))["roots"] == [root(one, 1)]
        await commit(host, 3)
        assert (await host.refusal("content.commit", {"blobs": {}, "root": {}}))[0] == EINVAL

    run(scenario)
