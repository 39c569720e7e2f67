"""Moves what SQLite's log holds into the database, in a thread of its own: commits hardly wait while a disk writes."""

import os
import sqlite3
from contextlib import closing, suppress
from struct import Struct
from threading import Thread
from time import monotonic

FULL = 2048
"""Pages of log that are worth it: 8 MB. Who commits waits for no more than a disk takes to write a part of that."""
PASSES, FEW = 6, 64
"""Each pass moves what was written during the one before, until few pages are left: a moment's work for the writer."""
PATIENCE = 1.0
"""Seconds until another try when one came to nothing: a full disk, a reader from outside."""

LAST, MOVED = 16, 96
"""Where the index of the log (the file beside it) says how many pages there are, and how many of them were moved."""
_number = Struct("=I")


class Checkpointer:
    """Looks after the log of one database for the thread that writes it. A log that was moved is begun anew."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._thread: Thread | None = None
        self._index = -1
        self._not_before = 0.0

    def open(self) -> None:
        """To be called when the database is open, and `close` only when it is closed: SQLite's locks would be lost."""
        self._index = os.open(f"{self._path}-shm", os.O_RDONLY | os.O_CLOEXEC)

    def look(self, connection: sqlite3.Connection) -> bool:
        """To be called by the writer between transactions. Says whether the log was moved."""
        if self._thread is None:
            if self._number(LAST) > FULL and monotonic() > self._not_before:
                self._thread = Thread(target=self._move, name="checkpoint", daemon=True)
                self._thread.start()
            return False
        if self.busy:
            return False
        self._thread = None
        if self._number(MOVED) < self._number(LAST):
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        moved = self._number(MOVED) == self._number(LAST)
        self._not_before = 0.0 if moved else monotonic() + PATIENCE
        return moved

    def truncate(self, connection: sqlite3.Connection) -> bool:
        """Moves all that is in the log and gives its space back, for the writer. False if there was none."""
        if self.busy or not self._size():
            return False
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return not self._size()

    @property
    def busy(self) -> bool:
        """Whether the log is being moved: whoever can wait with writing more should."""
        return self._thread is not None and self._thread.is_alive()

    def wait(self) -> None:
        """Waits for what is under way."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Lets go of the log."""
        if self._index >= 0:
            os.close(self._index)

    def _number(self, at: int) -> int:
        found = os.pread(self._index, _number.size, at)
        return int(_number.unpack(found)[0]) if len(found) == _number.size else 0

    def _size(self) -> int:
        try:
            return os.stat(f"{self._path}-wal").st_size
        except OSError:
            return 0

    def _move(self) -> None:
        with suppress(sqlite3.Error), closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            for _ in range(PASSES):
                before = self._number(MOVED)
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                if self._number(MOVED) - before <= FEW:
                    break
