"""One SQLite transaction, and what SQLite says as an OSError."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from errno import EBUSY, EFBIG, EIO, ENOMEM, ENOSPC, EPERM, EROFS
from typing import Any, TypeVar

T = TypeVar("T")

ERRNOS = {
    sqlite3.SQLITE_FULL: ENOSPC,
    sqlite3.SQLITE_READONLY: EROFS,
    sqlite3.SQLITE_PERM: EPERM,
    sqlite3.SQLITE_BUSY: EBUSY,
    sqlite3.SQLITE_LOCKED: EBUSY,
    sqlite3.SQLITE_TOOBIG: EFBIG,
    sqlite3.SQLITE_NOMEM: ENOMEM,
}


def transact(connection: Any, work: Callable[[Any], T]) -> T:
    """All of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise
    return result


def roll_back(connection: Any) -> None:
    """SQLite may have done it already: of a full disk, for one."""
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


def refusal(path: str, error: Exception) -> OSError:
    """An OSError that names the database, of whatever went wrong with it."""
    if isinstance(error, OSError):
        return error if error.filename is None else OSError(error.errno, f"{path}: {error.strerror}")
    if isinstance(error, sqlite3.Error):
        return OSError(_errno(path, error), f"{path}: {error}")
    return OSError(EIO, f"{path}: {type(error).__name__}: {error}")


def _errno(path: str, error: sqlite3.Error) -> int:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_CANTOPEN and not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
        return EPERM
    return ERRNOS.get(code, EIO)
