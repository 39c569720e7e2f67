"""Files whose pieces are blobs."""

import asyncio
from collections.abc import Awaitable, Callable
from errno import EINVAL, EIO, ENOENT
from hashlib import sha1
from pathlib import Path

import pytest

from flux.modules.content.service import Content
from flux.runtime import filemap
from flux.testing.host import FakeHost


def run(scenario: Callable[[FakeHost], Awaitable[None]]) -> None:
    """In real time, as files are read in threads."""

    async def play() -> None:
        host = FakeHost(ports={"filemap": filemap})
        await host.load(Content)
        await scenario(host)
        await host.unload("content")

    asyncio.run(play())


def test_the_pieces_of_a_file_are_loaded_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"one two")

    async def scenario(host: FakeHost) -> None:
        await host.call("content.mmap-add", {"path": str(path), "chunksize": 4, "tag": "t"})
        for piece in (b"one ", b"two"):
            assert (await host.ask("content.load", sha1(piece).digest())).payload() == piece
        stats = await host.call("content.stats-get")
        assert (stats["valid"], stats["mmap"]) == (0, {"tags": {"t": [str(path)]}, "blobs": 2})

    run(scenario)


def test_what_is_removed_is_found_in_other_files_only(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"same" + name.encode())

    async def scenario(host: FakeHost) -> None:
        for name in ("a", "b"):
            await host.call("content.mmap-add", {"path": str(tmp_path / name), "chunksize": 4, "tag": name})
        await host.call("content.mmap-remove", {"tag": "a"})
        assert (await host.ask("content.load", sha1(b"same").digest())).payload() == b"same"
        assert (await host.refusal("content.load", sha1(b"a").digest()))[0] == ENOENT

    run(scenario)


def test_a_file_that_has_changed_is_not_given_for_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"before")

    async def scenario(host: FakeHost) -> None:
        await host.call("content.mmap-add", {"path": str(path), "chunksize": 0, "tag": "t"})
        key = sha1(b"before").digest()
        path.write_bytes(b"afters")
        assert await host.refusal("content.load", key) == (EIO, f"{path}: has changed since it was mapped")
        path.write_bytes(b"be")
        assert (await host.refusal("content.load", key))[0] == EIO
        path.unlink()
        assert (await host.refusal("content.load", key))[0] == ENOENT

    run(scenario)


@pytest.mark.parametrize("name", ["empty", "directory", "link", "missing", "relative"])
def test_what_is_no_file_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to("empty")

    async def scenario(host: FakeHost) -> None:
        path = "relative" if name == "relative" else str(tmp_path / name)
        errnum, text = await host.refusal("content.mmap-add", {"path": path, "chunksize": 0, "tag": "t"})
        assert errnum == (ENOENT if name == "missing" else EINVAL)
        assert text == "path must be fully qualified" if name == "relative" else str(tmp_path / name) in text

    run(scenario)
