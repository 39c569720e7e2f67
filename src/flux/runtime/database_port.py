"""What a database is to who keeps something in it: work is handed to it, and told of when it is done."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Cursor(Protocol):
    """What came of a statement."""

    rowcount: int

    def fetchone(self) -> Any: ...  # a row as a tuple, None when there are no more
    def fetchall(self) -> list[Any]: ...
    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """SQL, in the database's own thread. Raises what the database makes an OSError of."""

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Cursor: ...
    def executemany(self, sql: str, values: Iterable[Sequence[Any]], /) -> Cursor: ...


Work = Callable[[Connection], T]
"""Done in the database's thread; writing work in a transaction that others may share, all of it or nothing."""
Told = Callable[[T | None, OSError | None], None]
"""Hears in the loop what came of it: a result, or why not. Writing work is told of when it is in the file."""
Slices = Callable[[Connection, Callable[[], bool]], Iterator[T]]
"""Long work in slices: it yields each time that it is asked whether the slice is over, and it is."""


class Database(Protocol):
    """One database and the thread that everything is done in, in the order in which it was asked for."""

    path: str

    def write(self, work: Work[T], told: Told[T]) -> None: ...
    def read(self, work: Work[T], told: Told[T]) -> None: ...
    async def do(self, work: Work[T], *, writing: bool = False) -> T: ...  # raises OSError
    def slices(self, work: Slices[T], each: Callable[[T], None], done: Callable[[OSError | None], None]) -> None: ...
    def stop_slices(self) -> None: ...  # those that are under way are not told of any more
    async def sync(self) -> None: ...  # what was written survives the end of the machine, too
    def figures(self) -> dict[str, int]: ...
    async def close(self) -> None: ...  # after what was asked for; slices end where they are


class OpenDatabase(Protocol):
    """Opens a database, or makes one. `prepare` sees to its tables. OSError names the file and what is wrong."""

    async def __call__(self, path: str, prepare: Work[None], *, durable: bool) -> Database: ...
