"""When garbage is collected, and what may not be yet: what somebody may still be looking at."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from flux.modules.content_sqlite.collection import Collection, Over
from flux.modules.content_sqlite.store import Store
from flux.service.ports import Connection, Slices

AGE = 300.0
"""Seconds after which a blob that no live root leads to is not looked at any more; between one and two times that."""
ENOUGH = 256 << 20
"""Bytes that are written before it is worth looking for garbage, unless content.gc-threshold says otherwise."""
ALL = 1 << 62
"""More than any id."""


class Sample(NamedTuple):
    """How things were once: the youngest blob, and what was alive."""

    last_id: int
    refs: list[str]


class Collector:
    """Decides about collections of one store."""

    def __init__(self, store: Store, enough: int, size: int) -> None:
        self._store, self._enough, self._size = store, enough, size
        self._written = 0
        self._samples: list[Sample] = []
        self.busy = False

    def wrote(self, size: int) -> bool:
        """Notes bytes that were written. Says whether garbage is likely to be more than what is alive."""
        self._written += size
        limit = max(self._enough, self._size)
        return bool(self._enough) and self._written > limit and len(self._samples) == 2 and not self.busy

    def age(self, refs: list[str]) -> None:
        """To be called every AGE seconds, with what is alive."""
        self._samples = [*self._samples[-1:], Sample(self._store.last_id, refs)]

    def begin(self, *, patient: bool) -> Slices[dict[str, Any]]:
        """A collection. A patient one spares what was alive or stored lately: somebody may be reading a snapshot."""
        self.busy = True
        self._written = 0
        horizon = self._samples[0].last_id if patient else ALL
        more = [ref for sample in self._samples for ref in sample.refs] if patient else []
        if not patient:
            self._samples = []  # what they lead to is about to be gone

        def run(connection: Connection, over: Over) -> Iterator[dict[str, Any]]:
            yield from Collection(self._store, horizon, more, patient=patient).slices(connection, over)

        return run

    def ended(self, size: int) -> None:
        """It is over; so many bytes are left."""
        self.busy = False
        self._size = size or self._size
