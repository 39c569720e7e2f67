"""The reductions that one service takes part in: when they go up, and what stays after a link is lost."""

from typing import TYPE_CHECKING, Any

from flux.service.reduce import Reduction

if TYPE_CHECKING:
    from flux.service.kit import Service


MOST_CLOSED = 1000
"""Ended rounds that are remembered; a report from before one is on its way for milliseconds."""


class Reductions:
    """Reductions by key. What changed in one turn of the loop goes up together."""

    __slots__ = ("_closed", "_dirty", "_keys", "_service")

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._keys: dict[str, Reduction[Any]] = {}
        self._dirty: set[str] = set()
        self._closed: dict[str, int] = {}

    def put(self, key: str, link: bytes, value: Any) -> None:
        """Replaces a link's contribution to `key`."""
        found = self._keys.get(key)
        if found is None:
            service = self._service
            found = self._keys[key] = Reduction(lambda values: service.merge(key, values))
        found.put(link, value)
        self._touch(key)

    def report(self, key: str, link: bytes, value: Any, seen: int) -> None:
        """A link's contribution, made when that broker had seen event `seen`; one from a round that is over is dropped."""
        if seen >= self._closed.get(key, 0):
            self.put(key, link, value)

    def drop(self, link: bytes) -> list[str]:
        """A link is lost, and what it contributed with it; returns the keys that it had contributed to."""
        keys = [key for key, reduction in self._keys.items() if reduction.drop(link)]
        for key in keys:
            self._touch(key)
        return keys

    def repeat(self) -> None:
        """Reports everything again, to a new parent."""
        for key, reduction in self._keys.items():
            reduction.forget_report()
            self._touch(key)

    def close(self, key: str, event: int) -> None:
        """Event number `event` ended this round of `key`: what was contributed before it counts no more."""
        self._keys.pop(key, None)
        self._dirty.discard(key)
        self._closed.pop(key, None)
        self._closed[key] = event
        if len(self._closed) > MOST_CLOSED:
            del self._closed[next(iter(self._closed))]

    def _touch(self, key: str) -> None:
        if not self._dirty:
            self._service.host.after(self._service.reduce_delay, self._flush)
        self._dirty.add(key)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for key in sorted(dirty):
            value = self._keys[key].change() if key in self._keys else None
            if value is None:
                continue
            if self._service.host.rank == 0:
                self._service.reduced(key, value)
            else:
                topic = f"{self._service.name}.reduce"
                report = {"key": key, "value": value, "seen": self._service.host.last_event()}
                self._service.notify(topic, report, upstream=True)
