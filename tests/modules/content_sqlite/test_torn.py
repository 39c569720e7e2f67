"""Copies of a database with torn and overwritten pages: refused, or what is given is right."""

import asyncio
import shutil
from pathlib import Path
from random import Random

import pytest

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.modules.content_sqlite import schema
from flux.modules.content_sqlite.store import Store
from flux.runtime.database import open_database

HASH = BlobHash("sha1")
COUNT, PAGE = 100, 4096


def blob(number: int) -> bytes:
    return Random(number).randbytes(number * 40)


def key(number: int) -> bytes:
    return HASH.digest(blob(number))


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a process leaves that was killed: most is in the database, the rest in the log."""
    where = tmp_path_factory.mktemp("left")

    async def fill() -> None:
        store = Store(HASH)
        database = await open_database(str(where / "live"), store.open, durable=True)
        empty = treeobj.encode(treeobj.directory())
        for number in range(COUNT):

            def work(connection: object, number: int = number) -> None:
                store.add(connection, HASH.digest(empty), empty)  # type: ignore[arg-type]
                store.add(connection, key(number), blob(number))  # type: ignore[arg-type]
                store.move(connection, {"rootref": HASH.blobref(empty), "sequence": number})  # type: ignore[arg-type]

            await database.do(work, writing=True)
            if number == COUNT // 2:
                await database.do(lambda connection: connection.execute("PRAGMA wal_checkpoint").fetchall())
        for name in ("", "-wal"):
            shutil.copy(where / f"live{name}", where / f"torn{name}")
        await database.close()

    asyncio.run(fill())
    return where / "torn"


async def look(path: Path) -> list[bool]:
    """Which blobs are there; whatever is wrong with the others, they are not others. OSError if it is refused."""
    store = Store(HASH)
    database = await open_database(str(path), store.open, durable=True)
    found = []
    try:
        for number in range(COUNT):
            try:
                await database.do(lambda connection, number=number: store.check(connection, key(number)))  # type: ignore[misc]
                found.append(True)
            except OSError:
                found.append(False)
    finally:
        await database.close()
    return found


def test_what_is_left_is_whole(left: Path, tmp_path: Path) -> None:
    for name in ("", "-wal"):
        shutil.copy(f"{left}{name}", tmp_path / f"db{name}")
    assert asyncio.run(look(tmp_path / "db")) == [True] * COUNT


def test_a_log_that_ends_early_is_a_session_that_ended_earlier(left: Path, tmp_path: Path) -> None:
    log = Path(f"{left}-wal").read_bytes()
    for size in range(0, len(log), 50_001):
        shutil.copy(left, tmp_path / "db")
        (tmp_path / "db-wal").write_bytes(log[:size])
        found = asyncio.run(look(tmp_path / "db"))
        assert found == sorted(found, reverse=True), "the later ones are missing, and only they"
        assert sum(found) > COUNT // 2
        (tmp_path / "db").unlink()


@pytest.mark.parametrize("checked", [0, schema.CHECKED], ids=["large", "small"])
@pytest.mark.parametrize("seed", range(20))
def test_damage_is_refused_or_what_is_given_is_right(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, checked: int
) -> None:
    monkeypatch.setattr(schema, "CHECKED", checked)
    random = Random(seed)
    for name in ("", "-wal"):
        content = bytearray(Path(f"{left}{name}").read_bytes())
        for _ in range(random.randrange(3)):
            at = random.randrange(len(content)) // PAGE * PAGE
            content[at : at + PAGE] = random.choice([bytes(PAGE), random.randbytes(PAGE), content[:PAGE]])
        if random.random() < 0.3:
            del content[random.randrange(len(content)) :]
        (tmp_path / f"db{name}").write_bytes(content)
    try:
        asyncio.run(look(tmp_path / "db"))
    except OSError as error:
        assert str(error.strerror).count("\n") == 0
