"""Moves what SQLite's log holds into the database, in a thread of its own: no commit waits while a disk writes."""

import os
import sqlite3
from contextlib import closing, suppress
from threading import Thread
from time import monotonic

FULL = 16 << 20
"""Bytes of log that are worth it."""
PASSES = 2
"""The first moves almost all. What is written meanwhile is left to the second, and a moment's work to the writer."""
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
            if log_size(self._path) > FULL and monotonic() > self._not_before:
                self._thread = Thread(target=self._move, name="checkpoint", daemon=True)
                self._thread.start()
            return False
        if self._thread.is_alive():
            return False
        self._thread = None
        emptied = empty(connection, self._path)
        self._not_before = 0.0 if emptied else monotonic() + PATIENCE
        return emptied

    def close(self) -> None:
        """Waits for what is under way."""
        if self._thread is not None:
            self._thread.join()

    def _move(self) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            for _ in range(PASSES):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def log_size(path: str) -> int:
    """Bytes of the log of a database."""
    try:
        return os.stat(f"{path}-wal").st_size
    except OSError:
        return 0


def empty(connection: sqlite3.Connection, path: str) -> bool:
    """Moves all that is in the log, for who writes it. False if it was empty, or cannot be."""
    if not log_size(path):
        return False
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return not log_size(path)
