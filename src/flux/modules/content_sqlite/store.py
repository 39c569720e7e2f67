"""Blobs and roots in a content database. Everything here is done in the database's thread."""

import json
import zlib
from errno import EIO, ENOENT

from flux.base.blobref import BlobHash, digest
from flux.base.liveroots import KEPT, LiveRoots, RootRecord, namespace_of
from flux.modules.content_sqlite import schema
from flux.modules.content_sqlite.marks import Marks
from flux.service.ports import Connection

SHORT, LONG = 200, 1 << 20
"""Bytes of the smallest blob that may be worth compressing, and of the largest that does not take too long."""

FIND = "SELECT size, object FROM objects WHERE hash = ?"
INSERT = "INSERT INTO objects(id, hash, size, object) VALUES(?, ?, ?, ?) ON CONFLICT(hash) DO NOTHING"


class Store:
    """What is in the database, and what was added to it lately."""

    def __init__(self, blobhash: BlobHash) -> None:
        self.hash = blobhash
        self.roots = LiveRoots()
        """As they were when the database was opened."""
        self.last_id = 0
        self.fresh: Marks | None = None
        """The blobs that were stored, or stored again, since a garbage collection has begun."""
        self._young = [Marks(), Marks()]
        """Those that somebody has stored lately, whose reference may still be on its way to a commit."""
        self._again = [Marks(), Marks()]
        """Those that came again lately: their ids do not say that they were alive then."""

    def open(self, connection: Connection) -> None:
        """Makes the tables or looks at them; OSError says why they are of no use."""
        schema.make(connection, self.hash)
        self.roots = self._read_roots(connection)
        self.last_id = connection.execute("SELECT max(id) FROM objects").fetchone()[0] or 0
        for root in self.roots.roots():
            self._check_root(connection, root)

    def _check_root(self, connection: Connection, root: RootRecord) -> None:
        try:
            self.check(connection, digest(root["rootref"]))
        except OSError as error:
            raise OSError(EIO, f"is damaged: root of namespace {namespace_of(root)}: {error.strerror}") from None

    # -- blobs ------------------------------------------------------------------------------------------------------

    def load(self, connection: Connection, key: bytes) -> bytes:
        """The blob of a digest. ENOENT, or EIO for one that cannot be read."""
        row = connection.execute(FIND, (key,)).fetchone()
        if row is None:
            raise OSError(ENOENT, f"no blob {key.hex()}")
        size, packed = row
        try:
            return unpack(packed, size)
        except zlib.error as error:
            raise OSError(EIO, f"blob {key.hex()} is damaged: {error}") from None

    def check(self, connection: Connection, key: bytes) -> None:
        """Raises ENOENT if there is no blob of that digest, EIO if there is another one in its place."""
        if self.hash.digest(self.load(connection, key)) != key:
            raise OSError(EIO, f"blob {key.hex()} is damaged: it is another one")

    def number(self, connection: Connection, key: bytes) -> int | None:
        """The id of the blob of a digest."""
        row = connection.execute("SELECT id FROM objects WHERE hash = ?", (key,)).fetchone()
        return None if row is None else int(row[0])

    def add(self, connection: Connection, key: bytes, blob: bytes, loose: bool = False) -> None:
        """Adds a blob. A loose one comes without a root that leads to it."""
        self.last_id += 1  # of its own, and never twice: what is younger has the larger one
        added = connection.execute(INSERT, (self.last_id, key, len(blob), pack(blob))).rowcount > 0
        number = self.last_id if added else self.number(connection, key) or 0
        if not added:
            self._again[0].add(number)
        if loose:
            self._young[0].add(number)
        if self.fresh is not None:
            self.fresh.add(number)

    def is_young(self, number: int) -> bool:
        """Whether that blob was stored lately, by itself."""
        return any(number in marks for marks in self._young)

    def came_again(self, number: int) -> bool:
        """Whether that blob was stored lately, when it was there already."""
        return any(number in marks for marks in self._again)

    def age(self) -> None:
        """What is young now is not any more after the next time."""
        self._young = [Marks(), self._young[0]]
        self._again = [Marks(), self._again[0]]

    def figures(self, connection: Connection) -> dict[str, int]:
        """Blobs, and bytes of the file and of what is free in it."""
        count = connection.execute("SELECT count(*) FROM objects").fetchone()[0]
        return {"object_count": count, "dbfile_size": schema.size(connection), "dbfile_free": schema.free(connection)}

    # -- roots ------------------------------------------------------------------------------------------------------

    def root_refs(self, connection: Connection) -> list[str]:
        """Blobrefs of all that is to stay, as the database has it now."""
        return self._read_roots(connection).refs()

    def _read_roots(self, connection: Connection) -> LiveRoots:
        live = connection.execute("SELECT value FROM roots").fetchall()
        checkpoints = connection.execute("SELECT value FROM checkpoints ORDER BY id DESC").fetchall()
        return LiveRoots(*([json.loads(text) for (text,) in rows] for rows in (live, checkpoints)))

    def move(self, connection: Connection, root: RootRecord) -> None:
        """A namespace has another root."""
        values = (namespace_of(root), json.dumps(root))
        connection.execute("INSERT OR REPLACE INTO roots VALUES(?, ?)", values)

    def remove(self, connection: Connection, namespace: str) -> None:
        """A namespace is gone."""
        connection.execute("DELETE FROM roots WHERE namespace = ?", (namespace,))

    def remember(self, connection: Connection, value: RootRecord) -> None:
        """Remembers a checkpoint, and forgets the oldest."""
        connection.execute("INSERT INTO checkpoints(value) VALUES(?)", (json.dumps(value),))
        connection.execute("DELETE FROM checkpoints WHERE id <= (SELECT max(id) FROM checkpoints) - ?", (KEPT,))


def pack(blob: bytes) -> bytes:
    """As it is kept: compressed if that is worth it."""
    if SHORT <= len(blob) <= LONG:
        packed = zlib.compress(blob, 1)
        if len(packed) < len(blob) * 7 // 8:
            return packed
    return blob


def unpack(packed: bytes, size: int) -> bytes:
    """What was packed. zlib.error if that is damaged."""
    return packed if len(packed) == size else zlib.decompress(packed, bufsize=size)
