"""The tables of a content database: how they are made, and whether those that are found are ours and whole."""

from errno import EINVAL, EIO

from flux.base.blobref import BlobHash
from flux.service.ports import Connection

FORMAT = 1
"""Of the tables below; a database of a later one is left alone."""
OURS = 0x466C7578
"""The application_id of a content database: "Flux"."""
CHECKED = 64 << 20
"""Bytes of a database that is looked through when it is opened; of a larger one only what leads to the rest."""

TABLES = (
    "CREATE TABLE facts(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE roots(namespace TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE checkpoints(id INTEGER PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE objects("
    "id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, object BLOB NOT NULL)",
)
"""An object is compressed if it is shorter than its size."""


def make(connection: Connection, blobhash: BlobHash) -> None:
    """Makes the tables in a new database; refuses one that cannot be used, and changes nothing in it. OSError."""
    if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        _make(connection, blobhash)
        return
    if pragma(connection, "application_id") != OURS:
        raise OSError(EINVAL, "was not made by this program")
    if pragma(connection, "user_version") > FORMAT:
        raise OSError(EINVAL, f"is of format {pragma(connection, 'user_version')}, this program knows {FORMAT}")
    check(connection)
    found = connection.execute("SELECT value FROM facts WHERE name = 'hash'").fetchone()
    if found is None or found[0] != blobhash.name:
        raise OSError(EINVAL, f"has {found and found[0]} blobs, content.hash is {blobhash.name}")


def _make(connection: Connection, blobhash: BlobHash) -> None:
    for sql in TABLES:
        connection.execute(sql)
    connection.execute("INSERT INTO facts VALUES('hash', ?)", (blobhash.name,))
    connection.execute(f"PRAGMA application_id = {OURS}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")


def check(connection: Connection) -> None:
    """Looks for damage. OSError(EIO) says what was found."""
    whole = size(connection) <= CHECKED
    for table in ("",) if whole else ("('facts')", "('roots')", "('checkpoints')"):
        for (line,) in connection.execute(f"PRAGMA quick_check{table or '(1)'}").fetchall():
            if line != "ok":
                raise OSError(EIO, f"is damaged: {' '.join(line.split())}")


def pragma(connection: Connection, name: str) -> int:
    """A number that SQLite keeps."""
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def size(connection: Connection) -> int:
    """Bytes of the database."""
    return pragma(connection, "page_count") * pragma(connection, "page_size")


def free(connection: Connection) -> int:
    """Bytes of it that hold nothing."""
    return pragma(connection, "freelist_count") * pragma(connection, "page_size")
