"""The reductions that one service takes part in: when they go up, and what stays after a link is lost."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flux.service.reduce import Reduction

if TYPE_CHECKING:
    from flux.service.kit import Service
    from flux.service.ports import Timer

MOST_CLOSED = 1000
"""Ended rounds that are remembered; a report from before one is on its way for milliseconds."""


class Reductions:
    """Reductions by key. What changed in one turn of the loop, or in the service's `reduce_delay`, goes up together."""

    __slots__ = ("_closed", "_count", "_dirty", "_keys", "_service", "_timer")

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._keys: dict[str, Reduction[Any]] = {}
        self._dirty: dict[str, None] = {}  # a quarter of an empty set's memory, and there are many services
        self._count = 0
        self._timer: Timer | None = None
        self._closed: dict[str, int] = {}

    def put(self, key: str, link: bytes, value: Any) -> None:
        """Replaces a link's contribution to `key`."""
        found = self._keys.get(key)
        if found is None:
            found = self._keys[key] = Reduction(lambda values: self._service.merge(key, values))
        found.put(link, value)
        self._touch(key)

    def report(self, key: str, link: bytes, value: Any, seen: int) -> None:
        """What a link contributed when it had seen event `seen`; dropped if that was in a round that is over."""
        if seen >= self._closed.get(key, 0):
            self.put(key, link, value)

    def drop(self, link: bytes, *keys: str) -> list[str]:
        """Takes back what a link contributed, to these keys or to all; returns those that it had contributed to."""
        wanted: Iterable[str] = keys or list(self._keys)
        dropped = [key for key in wanted if key in self._keys and self._keys[key].drop(link)]
        for key in dropped:
            self._touch(key)
        return dropped

    def repeat(self) -> None:
        """Reports everything again, to a new parent."""
        for key, reduction in self._keys.items():
            reduction.forget_report()
            self._touch(key)

    def withdraw(self) -> None:
        """Tells the parent that nothing more comes from here, and counts for nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._service.host.rank:
            for key, reduction in self._keys.items():
                if reduction.reported:
                    self._tell(key, None)
        self._keys.clear()
        self._dirty.clear()

    def close(self, key: str, event: int) -> None:
        """Event number `event` ended this round of `key`: what was contributed before it counts no more."""
        self._keys.pop(key, None)
        self._dirty.pop(key, None)
        self._closed.pop(key, None)
        self._closed[key] = event
        if len(self._closed) > MOST_CLOSED:
            del self._closed[next(iter(self._closed))]

    def _touch(self, key: str) -> None:
        service = self._service
        self._dirty[key] = None
        self._count += 1
        if self._count == service.reduce_count and self._timer is not None:
            self._timer.cancel()
            self._timer = service.host.after(0, self._flush)
        elif self._timer is None:
            self._timer = service.host.after(service.reduce_delay, self._flush)

    def _flush(self) -> None:
        self._timer, self._count = None, 0
        dirty, self._dirty = self._dirty, {}
        for key in sorted(dirty):
            self._service.guarded(self._pass_on, key)

    def _pass_on(self, key: str) -> None:
        """Hands the merged value to the parent, or on rank 0 to the service, if it has changed.

        What nobody contributes to any more is forgotten, here and above: keys come and go.
        """
        reduction = self._keys.get(key)
        value = reduction.change() if reduction is not None else None
        if reduction is None or value is None:
            return
        if not reduction.links:
            del self._keys[key]
        if self._service.host.rank == 0:
            self._service.reduced(key, value)
        else:
            self._tell(key, value if reduction.links else None)

    def _tell(self, key: str, value: Any) -> None:
        report = {"key": key, "value": value, "seen": self._service.host.last_event()}
        self._service.notify(f"{self._service.name}.reduce", report, upstream=True)
