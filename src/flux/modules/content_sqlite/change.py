"""What is to be written: blobs, and roots that lead to them. Several become one."""

from collections.abc import Callable, Mapping

from flux.modules.content_sqlite.store import Store
from flux.service.ports import Connection

Step = Callable[[Connection], None]
NOTHING: Mapping[bytes, bytes] = {}
NO_STEPS: Mapping[str, Step] = {}


class Change:
    """Blobs by digest, and what is done once they are there, by a name: a later step of one name replaces another."""

    __slots__ = ("blobs", "loose", "size", "steps")

    def __init__(self, blobs: Mapping[bytes, bytes] = NOTHING, steps: Mapping[str, Step] = NO_STEPS) -> None:
        self.blobs, self.steps = dict(blobs), dict(steps)
        self.loose = set() if steps else set(self.blobs)
        """The blobs that come without a root."""
        self.size = sum(map(len, self.blobs.values()))

    def __bool__(self) -> bool:
        return bool(self.blobs or self.steps)

    def add(self, later: "Change") -> None:
        """Takes in what is to be written as well."""
        for key, blob in later.blobs.items():
            if key not in self.blobs:
                self.blobs[key] = blob
                self.size += len(blob)
        self.steps |= later.steps
        self.loose |= later.loose

    def apply(self, store: Store, connection: Connection) -> None:
        """Writes it."""
        for key, blob in self.blobs.items():
            store.add(connection, key, blob, key in self.loose)
        for step in self.steps.values():
            step(connection)
