"""SQLite in a thread of its own: whatever waits becomes one transaction, and long work gives way to it."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from errno import ENOSPC
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from flux.runtime.checkpointer import Checkpointer
from flux.runtime.database_port import Slices, Told, Work
from flux.runtime.transaction import refusal, roll_back, transact

T = TypeVar("T")

SLICE = 0.004
"""Seconds that long work takes at a time."""
REST = 0.008
"""Seconds that it then leaves to others, if there are others."""
BUSY = 5.0
"""Seconds to wait for somebody who looks into the file from outside."""

LOG = 16 << 20
"""Bytes of the log that are kept for its next beginning; a larger one was so once."""
DURABLE = ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 0", f"journal_size_limit = {LOG}")
"""A commit is in the log, which the kernel keeps whoever dies; only a crash of the machine may take the last ones."""
PASSING = ("locking_mode = EXCLUSIVE", "journal_mode = MEMORY", "synchronous = OFF")


class Job(NamedTuple):
    """Something to do, and whom to tell."""

    work: Work[Any]
    told: Told[Any]
    writes: bool


class Task(NamedTuple):
    """Long work, and whom to tell of what it yields, and of its end."""

    slices: Iterator[Any]
    each: Callable[[Any], None]
    done: Callable[[OSError | None], None]


Outcome = tuple[Any, OSError | None]


async def open_database(path: str, prepare: Work[None], *, durable: bool) -> "SQLite":
    """The OpenDatabase of `database_port`. What is durable survives the end of all processes, by any signal."""
    made = SQLite(path, durable=durable)
    await made.begin(prepare)
    return made


class SQLite:
    """The Database of `database_port`."""

    def __init__(self, path: str, *, durable: bool) -> None:
        self.path = path
        self._durable = durable
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._tasks: list[Task] = []
        self._opened = self._stopping = self._lively = False
        self._until = self._resume = 0.0
        """When this slice is over, and when the next one may begin."""
        self._groups = self._grouped = self._emptied = 0
        self._thread = Thread(target=self._live, name="database", daemon=True)
        self._connection: Any = None
        self._checkpointer = Checkpointer(path) if durable else None

    async def begin(self, prepare: Work[None]) -> None:
        """Opens the file and lets `prepare` look at it."""
        opened = self._loop.create_future()

        def told(result: Any, error: OSError | None) -> None:
            if not opened.done():
                opened.set_result(error)

        self._jobs.put(Job(lambda connection: self._open(prepare), told, False))
        self._thread.start()
        error = await opened
        if error is not None:
            await self.close()
            raise error

    # -- for the loop -----------------------------------------------------------------------------------------------

    def write(self, work: Work[T], told: Told[T]) -> None:
        """Has something written, together with whatever else waits."""
        self._jobs.put(Job(work, told, True))

    def read(self, work: Work[T], told: Told[T]) -> None:
        """Has something read."""
        self._jobs.put(Job(work, told, False))

    async def do(self, work: Work[T], *, writing: bool = False) -> T:
        """Has something done, and waits for it."""
        done = self._loop.create_future()

        def told(result: T | None, error: OSError | None) -> None:
            if not done.done():
                if error is None:
                    done.set_result(result)
                else:
                    done.set_exception(error)

        self._jobs.put(Job(work, told, writing))
        result: T = await done  # a caller that is cancelled leaves the work to be done
        return result

    def slices(self, work: Slices[T], each: Callable[[T], None], done: Callable[[OSError | None], None]) -> None:
        """Has long work done whenever there is nothing else to do, and a little of it when there is."""

        def begin(connection: Any) -> None:
            self._tasks.append(Task(work(connection, self._over), each, done))

        self.read(begin, _nobody)

    def stop_slices(self) -> None:
        """Ends all long work where it is."""
        self.read(lambda connection: self._tasks.clear(), _nobody)

    async def sync(self) -> None:
        """Has the disk take what was written. Others do not wait for it."""
        if self._durable:
            await self._loop.run_in_executor(None, _sync, f"{self.path}-wal")

    def figures(self) -> dict[str, int]:
        """How much was done together."""
        return {"transactions": self._groups, "writes": self._grouped, "checkpoints": self._emptied}

    async def close(self) -> None:
        """Ends the thread, after all that it was asked for."""
        self._jobs.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    # -- in the thread ----------------------------------------------------------------------------------------------

    def _open(self, prepare: Work[None]) -> None:
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        new = () if os.path.getsize(self.path) else ("auto_vacuum = INCREMENTAL",)
        connection = self._connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, cached_statements=64, timeout=BUSY
        )
        for setting in (*new, *(DURABLE if self._durable else PASSING)):
            connection.execute(f"PRAGMA {setting}").fetchall()
        transact(connection, prepare)
        if self._checkpointer is not None:
            self._checkpointer.open()
        self._opened = True

    def _live(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        finally:
            if self._checkpointer is not None:
                self._checkpointer.wait()
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
            if self._checkpointer is not None:
                self._checkpointer.close()

    def _turn(self) -> None:
        """Does what waits, then perhaps a slice of what is long."""
        jobs = self._take()
        if jobs:
            self._tell([(job.told, outcome) for job, outcome in zip(jobs, self._serve(jobs), strict=True)])
            self._lively = True
        if self._checkpointer is not None and self._opened:
            self._emptied += self._checkpointer.look(self._connection)
        if self._tasks and not self._stopping and monotonic() >= self._resume:
            if self._checkpointer is not None and self._checkpointer.busy:
                self._resume = monotonic() + REST
            else:
                self._slice(self._tasks[0])

    def _take(self) -> list[Job]:
        """All jobs that wait; waits for one as long as there is nothing else to do."""
        jobs: list[Job] = []
        with suppress(Empty):
            job = self._jobs.get(timeout=max(0.0, self._resume - monotonic()) if self._tasks else None)
            while job is not None:
                jobs.append(job)
                job = self._jobs.get_nowait()
            self._stopping = True
        return jobs

    def _serve(self, jobs: list[Job]) -> list[Outcome]:
        writes = sum(job.writes for job in jobs)
        self._groups += writes > 0
        self._grouped += writes
        if writes and len(jobs) > 1:
            with suppress(Exception):  # then each is tried alone: who is to blame fails, and nobody else
                return transact(self._connection, lambda connection: [(job.work(connection), None) for job in jobs])
        return [self._alone(job) for job in jobs]

    def _alone(self, job: Job) -> Outcome:
        try:
            return self._done(job), None
        except Exception as error:
            full = refusal(self.path, error)
        if full.errno != ENOSPC or not self._made_room():
            return None, full
        try:
            return self._done(job), None
        except Exception as error:
            return None, refusal(self.path, error)

    def _done(self, job: Job) -> Any:
        return transact(self._connection, job.work) if job.writes else job.work(self._connection)

    def _made_room(self) -> bool:
        """A full disk: what is in the log, much of it several times over, may fit into the database."""
        return self._checkpointer is not None and self._checkpointer.truncate(self._connection)

    def _over(self) -> bool:
        return monotonic() >= self._until

    def _slice(self, task: Task) -> None:
        self._until = monotonic() + SLICE
        try:
            found = next(task.slices)
        except StopIteration:
            self._end(task, None)
        except Exception as error:
            roll_back(self._connection)
            self._end(task, refusal(self.path, error))
        else:
            self._tell([(_passed_on(task.each), (found, None))])
        self._resume = monotonic() + REST if self._lively else 0.0
        self._lively = False

    def _end(self, task: Task, error: OSError | None) -> None:
        self._tasks.remove(task)
        self._tell([(lambda result, refusal: task.done(refusal), (None, error))])

    def _tell(self, outcomes: list[tuple[Told[Any], Outcome]]) -> None:
        with suppress(RuntimeError):  # the loop is closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(_tell_all, outcomes)


def _sync(path: str) -> None:
    with suppress(FileNotFoundError):  # there is no log: all is in the database, by fsync
        log = os.open(path, os.O_RDONLY)
        try:
            os.fsync(log)
        finally:
            os.close(log)


def _tell_all(outcomes: list[tuple[Told[Any], Outcome]]) -> None:
    for told, (result, error) in outcomes:
        told(result, error)


def _passed_on(each: Callable[[Any], None]) -> Told[Any]:
    return lambda result, error: each(result)


def _nobody(result: Any, error: OSError | None) -> None:
    pass
