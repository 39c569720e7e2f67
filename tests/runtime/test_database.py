"""SQLite in its thread, on both kinds of event loop."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from errno import EIO, ENOSPC, EROFS
from pathlib import Path
from typing import Any

import pytest
import uvloop

from flux.runtime.database import SQLite, open_database

Scenario = Callable[[SQLite], Awaitable[None]]
Run = Callable[[Scenario], None]


def table(connection: Any) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS t(n INTEGER PRIMARY KEY, s BLOB)")


def insert(*numbers: int) -> Callable[[Any], int]:
    def work(connection: Any) -> int:
        for number in numbers:
            connection.execute("INSERT INTO t VALUES(?, zeroblob(100))", (number,))
        return len(numbers)

    return work


def numbers(connection: Any) -> list[int]:
    return [row[0] for row in connection.execute("SELECT n FROM t ORDER BY n").fetchall()]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    def run(scenario: Scenario) -> None:
        async def session() -> None:
            database = await open_database(str(tmp_path / "db"), table, durable=True)
            try:
                await scenario(database)
            finally:
                await database.close()

        (uvloop.run if request.param == "uvloop" else asyncio.run)(session())

    return run


def test_what_waits_together_is_one_transaction(run: Run) -> None:
    async def scenario(database: SQLite) -> None:
        gate = asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold(connection: Any) -> None:
            asyncio.run_coroutine_threadsafe(gate.wait(), loop).result()

        held = asyncio.ensure_future(database.do(hold))
        writes = [asyncio.ensure_future(database.do(insert(n), writing=True)) for n in range(10)]
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(held, *writes) == [None] + [1] * 10
        assert await database.do(numbers) == list(range(10))
        assert database.figures()["transactions"] == 1
        assert database.figures()["writes"] == 10

    run(scenario)


def test_who_fails_in_company_fails_alone(run: Run) -> None:
    async def scenario(database: SQLite) -> None:
        works = [insert(1, 2), insert(3, 1), insert(4)]
        found = await asyncio.gather(*(database.do(work, writing=True) for work in works), return_exceptions=True)
        assert [found[0], found[2]] == [2, 1]
        assert isinstance(found[1], OSError) and "UNIQUE" in str(found[1].strerror)
        assert await database.do(numbers) == [1, 2, 4], "nothing of what failed is there"

    run(scenario)


def test_what_refuses_is_passed_on_and_what_is_a_mistake_is_an_error(run: Run) -> None:
    async def scenario(database: SQLite) -> None:
        def refuse(connection: Any) -> None:
            raise OSError(ENOSPC, "no room")

        with pytest.raises(OSError, match="no room"):
            await database.do(refuse)
        with pytest.raises(OSError, match="ZeroDivisionError") as caught:
            await database.do(lambda connection: 1 // 0)
        assert caught.value.errno == EIO

    run(scenario)


def test_a_full_file_refuses_and_takes_again_when_there_is_room(run: Run) -> None:
    async def scenario(database: SQLite) -> None:
        pages = await database.do(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
        await database.do(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages + 1}").fetchall())
        with pytest.raises(OSError, match="full") as caught:
            await database.do(insert(*range(1000)), writing=True)
        assert caught.value.errno == ENOSPC
        assert await database.do(numbers) == []
        await database.do(lambda connection: connection.execute("PRAGMA max_page_count = 1000").fetchall())
        assert await database.do(insert(*range(1000)), writing=True) == 1000

    run(scenario)


def test_long_work_goes_on_between_commits_and_says_how_far_it_is(run: Run) -> None:
    async def scenario(database: SQLite) -> None:
        told: list[int] = []
        ended = asyncio.get_running_loop().create_future()

        def work(connection: Any, over: Callable[[], bool]) -> Iterator[int]:
            for count in range(5):
                while not over():
                    pass
                yield count

        database.slices(work, told.append, ended.set_result)
        commits = 0
        while not ended.done():
            commits += await database.do(insert(commits), writing=True)
        assert told == [0, 1, 2, 3, 4]
        assert await ended is None
        assert commits > 5, "more than one between two slices"

    run(scenario)


def test_long_work_that_fails_says_why(run: Run) -> None:
    async def scenario(database: SQLite) -> None:
        ended = asyncio.get_running_loop().create_future()

        def work(connection: Any, over: Callable[[], bool]) -> Iterator[int]:
            connection.execute("BEGIN")
            yield 1
            connection.execute("SELECT * FROM nowhere")

        database.slices(work, lambda found: None, ended.set_result)
        error = await ended
        assert isinstance(error, OSError) and "no such table: nowhere" in str(error.strerror)
        assert await database.do(insert(1), writing=True) == 1, "what it had begun is undone"

    run(scenario)


def test_long_work_can_be_stopped(run: Run) -> None:
    async def scenario(database: SQLite) -> None:
        begun = asyncio.Event()
        closed: list[bool] = []

        def work(connection: Any, over: Callable[[], bool]) -> Iterator[int]:
            try:
                while True:
                    yield 1
            finally:
                closed.append(True)

        database.slices(work, lambda found: begun.set(), lambda error: None)
        await begun.wait()
        database.stop_slices()
        await database.do(numbers)
        assert closed == [True]

    run(scenario)


def test_the_log_is_emptied_while_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flux.runtime.checkpointer.FULL", 30)

    async def scenario() -> int:
        database = await open_database(str(tmp_path / "db"), table, durable=True)
        number = 0
        while not database.figures()["checkpoints"]:
            number += await database.do(insert(number), writing=True)
        await database.sync()
        await database.close()
        return number

    number = asyncio.run(scenario())
    assert [path.name for path in tmp_path.iterdir()] == ["db"]
    with closing(sqlite3.connect(tmp_path / "db")) as connection:
        assert numbers(connection) == list(range(number))


def test_what_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(b"my thesis" * 1000)

    async def scenario() -> None:
        with pytest.raises(OSError, match="file is not a database") as caught:
            await open_database(str(path), table, durable=True)
        assert (caught.value.errno, str(caught.value.strerror).startswith(str(path))) == (EIO, True)

    asyncio.run(scenario())
    assert path.read_bytes() == b"my thesis" * 1000


def test_a_database_that_cannot_be_made_names_its_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(FileNotFoundError, match="No such file or directory"):
            await open_database(str(tmp_path / "nowhere" / "db"), table, durable=True)

    asyncio.run(scenario())


def test_a_database_on_a_read_only_file_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        database = await open_database(str(tmp_path / "db"), table, durable=True)
        try:
            await database.do(lambda connection: connection.execute("PRAGMA query_only = 1").fetchall())
            with pytest.raises(OSError, match="readonly") as caught:
                await database.do(insert(1), writing=True)
            assert caught.value.errno == EROFS
        finally:
            await database.close()

    asyncio.run(scenario())
