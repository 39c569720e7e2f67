"""A garbage collection that somebody else makes, step by step, by today's topics: gc-info, mark, sweep."""

from errno import EINVAL
from typing import NamedTuple

from flux.base.blobref import digest
from flux.modules.content_sqlite.collection import Collection
from flux.modules.content_sqlite.store import Store
from flux.service.ports import Connection

MOST_HASHES, MOST_DELETES, LARGEST_WINDOW = 16384, 1024, 8192
"""What one request may ask for (EINVAL), and what it gets at most: others wait meanwhile."""


class Sweep(NamedTuple):
    """What a sweep is asked for."""

    epoch: int
    cursor: int
    high_water: int
    delete_cap: int
    window: int


class Manual:
    """The collection that is under way, if there is one. Its epoch is its number."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._epoch = 0
        self._collection: Collection | None = None

    def begin(self, connection: Connection, count: bool) -> dict[str, int]:
        """Begins anew."""
        self._epoch += 1
        self._collection = Collection(self._store, self._store.last_id)
        found = {"current_epoch": self._epoch, "high_water": self._store.last_id}
        if count:
            found["candidates"] = self._store.figures(connection)["object_count"]
        return found

    def mark(self, connection: Connection, epoch: int, hashes: list[str]) -> dict[str, int]:
        """Marks blobs; says how many were not."""
        if len(hashes) > MOST_HASHES:
            raise OSError(EINVAL, f"{len(hashes)} hashes, {MOST_HASHES} at most")
        collection = self._of(epoch)
        return {"marked": sum(collection.mark(connection, _digest(text)) for text in hashes)}

    def sweep(self, connection: Connection, asked: Sweep) -> dict[str, int]:
        """Sweeps a part; says how many blobs are gone, and how far it came."""
        if asked.cursor < 0 or asked.high_water < 0 or asked.delete_cap <= 0 or asked.window <= 0:
            raise OSError(EINVAL, "sweep: a number that is too small")
        collection = self._of(asked.epoch)
        collection.horizon = min(collection.horizon, asked.high_water)
        cursor, deleted = collection.sweep(
            connection, asked.cursor, min(asked.delete_cap, MOST_DELETES), min(asked.window, LARGEST_WINDOW)
        )
        return {"deleted": deleted, "cursor": cursor}

    def _of(self, epoch: int) -> Collection:
        if self._collection is None or epoch != self._epoch or not self._collection.valid:
            raise OSError(EINVAL, f"no garbage collection of epoch {epoch} is under way (see content-backing.gc-info)")
        return self._collection


def _digest(text: str) -> bytes:
    try:
        return digest(text) if "-" in text else bytes.fromhex(text)
    except ValueError as error:
        raise OSError(EINVAL, f"not a digest: {text:.80}") from error
