"""Moves what SQLite's log holds into the database, in a thread of its own: no commit waits while a disk writes."""

import os
import sqlite3
from contextlib import closing, suppress
from threading import Thread
from time import monotonic

FULL = 32 << 20
"""Bytes of log that are worth it."""
PASSES, FEW = 6, 64
"""Each pass moves what was written during the one before, until few pages are left: a moment's work for the writer."""
PATIENCE = 1.0
"""Seconds until another try when one came to nothing: a full disk, a reader from outside."""


class Checkpointer:
    """Looks after the log of one database for the thread that writes it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread: Thread | None = None
        self._not_before = 0.0

    def look(self, connection: sqlite3.Connection) -> bool:
        """To be called by the writer between transactions. Says whether the log was emptied."""
        if self._thread is None:
            if self._size() > FULL and monotonic() > self._not_before:
                self._thread = Thread(target=self._move, name="checkpoint", daemon=True)
                self._thread.start()
            return False
        if self.busy:
            return False
        self._thread = None
        emptied = self.empty(connection)
        self._not_before = 0.0 if emptied else monotonic() + PATIENCE
        return emptied

    def empty(self, connection: sqlite3.Connection) -> bool:
        """Moves all that is in the log, for who writes it. False if it was empty already, or cannot be."""
        if self.busy or not self._size():
            return False
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return not self._size()

    @property
    def busy(self) -> bool:
        """Whether the log is being moved: whoever can wait with writing more should."""
        return self._thread is not None and self._thread.is_alive()

    def close(self) -> None:
        """Waits for what is under way."""
        if self._thread is not None:
            self._thread.join()

    def _size(self) -> int:
        try:
            return os.stat(f"{self._path}-wal").st_size
        except OSError:
            return 0

    def _move(self) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            before = 0
            for _ in range(PASSES):
                _, _, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if moved - before <= FEW:
                    break
                before = moved
