"""One garbage collection: what live roots lead to is marked, in memory; what is not marked then is swept, by and by."""

from collections.abc import Callable, Iterable, Iterator
from errno import EIO
from typing import Any

import msgspec

from flux.base.blobref import digest
from flux.base.treeobj import directory, encode, refs
from flux.modules.content_sqlite import schema
from flux.modules.content_sqlite.marks import Marks
from flux.modules.content_sqlite.store import Store
from flux.service.ports import Connection

WINDOW = 128
"""Ids that are looked through, and blobs that are swept, in one transaction: nobody waits for long."""
PAGES = 64
"""Pages of the file that are given back in one transaction."""
WORTH = 1 << 20
"""Bytes that may stay free in the file."""

SWEPT = "SELECT id, length(object) FROM objects WHERE id > ? AND id <= ? ORDER BY id"
EMPTY = encode(directory())
"""What a store begins with, before there is any commit: it is always in use."""

Over = Callable[[], bool]


class Collection:
    """What one collection knows. All of it is done in the database's thread; a commit may come between any two slices.

    Blobs that are stored, or stored again, from the beginning on are noted in `store.fresh` and stay. A commit leads
    only to these and to what the live root before it led to, so that the live roots at the end of marking are enough.
    """

    def __init__(self, store: Store, horizon: int, more_roots: Iterable[str] = (), patient: bool = False) -> None:
        self._store, self._patient = store, patient
        self._more_roots = list(more_roots)
        self.horizon = min(horizon, store.last_id)
        """Blobs of later ids are left alone."""
        self.marks = Marks()
        self.found = {"marked": 0, "swept": 0, "bytes": 0, "size": 0, "before": 0}
        self._fresh = store.fresh = Marks()

    @property
    def valid(self) -> bool:
        """Whether no other collection has begun since."""
        return self._store.fresh is self._fresh

    def slices(self, connection: Connection, over: Over) -> Iterator[dict[str, Any]]:
        """Does all of it; yields figures whenever a slice is over, and at the end."""
        self.found["before"] = schema.size(connection)
        try:
            yield from self._mark_all(connection, over)
            cursor = 0
            while cursor < self.horizon:
                cursor, _ = self.sweep(connection, cursor, WINDOW, WINDOW)
                if over():
                    yield self._figures(connection, "sweep", cursor)
            if not self._patient:
                yield from self._shrink(connection, over)
            yield self._figures(connection, "done", cursor)
        finally:
            self._store.fresh = None

    # -- mark -------------------------------------------------------------------------------------------------------

    def _mark_all(self, connection: Connection, over: Over) -> Iterator[dict[str, Any]]:
        """Marks until there is no root that was not marked from."""
        self.mark(connection, self._store.hash.digest(EMPTY))
        done: set[str] = set()
        while todo := [ref for ref in (*self._store.root_refs(connection), *self._more_roots) if ref not in done]:
            done.update(todo)
            yield from self._mark(connection, todo, over)

    def _mark(self, connection: Connection, roots: list[str], over: Over) -> Iterator[dict[str, Any]]:
        todo = [(ref, True) for ref in roots]
        while todo:
            ref, is_directory = todo.pop()
            if is_directory:
                todo += self._open(connection, ref)
            else:
                self.mark(connection, digest(ref))
            if over():
                yield self._figures(connection, "mark", 0)

    def _open(self, connection: Connection, ref: str) -> list[tuple[str, bool]]:
        """Marks a directory; gives what it refers to if that is not done yet. EIO if it cannot be read."""
        key = digest(ref)
        number = self._store.number(connection, key)
        if number is not None and not self.marks.add(number):
            return []
        try:
            return list(refs(msgspec.json.decode(self._store.load(connection, key))))
        except (OSError, msgspec.MsgspecError, LookupError, TypeError, AttributeError):
            raise OSError(EIO, f"directory {ref} is missing or damaged (see flux fsck): nothing was removed") from None

    def mark(self, connection: Connection, key: bytes) -> bool:
        """Marks a blob; says whether it was there, and not marked before."""
        number = self._store.number(connection, key)
        return number is not None and self.marks.add(number)

    # -- sweep ------------------------------------------------------------------------------------------------------

    def sweep(self, connection: Connection, cursor: int, most: int, window: int) -> tuple[int, int]:
        """Removes up to `most` blobs with ids after `cursor`, in a transaction; returns how far it came, how many."""
        end = min(cursor + window, self.horizon)
        rows = connection.execute(SWEPT, (cursor, end)).fetchall()
        garbage = [row for row in rows if not self._stays(row[0])]
        if len(garbage) > most:
            garbage = garbage[:most]
            end = garbage[-1][0]
        elif not rows:
            end = self._next(connection, end)
        if garbage:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("DELETE FROM objects WHERE id = ?", [(row[0],) for row in garbage])
            connection.execute("COMMIT")
            self.found["swept"] += len(garbage)
            self.found["bytes"] += sum(size for _, size in garbage)
        return end, len(garbage)

    def _stays(self, number: int) -> bool:
        if number in self.marks or number in self._fresh or self._store.is_young(number):
            return True
        return not self.valid or (self._patient and self._store.came_again(number))

    def _next(self, connection: Connection, end: int) -> int:
        """Where the next blob is, after many that are gone."""
        found = connection.execute("SELECT min(id) FROM objects WHERE id > ?", (end,)).fetchone()[0]
        return self.horizon if found is None else min(found - 1, self.horizon)

    # -- shrink -----------------------------------------------------------------------------------------------------

    def _shrink(self, connection: Connection, over: Over) -> Iterator[dict[str, Any]]:
        """Gives what is free in the file back to the file system."""
        while schema.free(connection) > WORTH:
            connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
            if over():
                yield self._figures(connection, "shrink", self.horizon)

    def _figures(self, connection: Connection, phase: str, cursor: int) -> dict[str, Any]:
        size = schema.size(connection)
        return (
            self.found
            | {"phase": phase, "marked": self.marks.count, "size": size}
            | {"cursor": cursor, "horizon": self.horizon, "free": schema.free(connection)}
        )
