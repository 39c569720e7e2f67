"""The reductions that one service takes part in: when they go up, and what stays after a link is lost."""

from typing import TYPE_CHECKING, Any

from flux.service.reduce import Reduction

if TYPE_CHECKING:
    from flux.service.kit import Service


class Reductions:
    """Reductions by key. What changed in one turn of the loop goes up together."""

    __slots__ = ("_dirty", "_keys", "_service")

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._keys: dict[str, Reduction[Any]] = {}
        self._dirty: set[str] = set()

    def put(self, key: str, link: bytes, value: Any) -> None:
        """Replaces a link's contribution to `key`."""
        found = self._keys.get(key)
        if found is None:
            service = self._service
            found = self._keys[key] = Reduction(lambda values: service.merge(key, values))
        found.put(link, value)
        self._touch(key)

    def drop(self, link: bytes) -> None:
        """A link is lost, and what it contributed with it."""
        for key, reduction in self._keys.items():
            if reduction.drop(link):
                self._touch(key)

    def repeat(self) -> None:
        """Reports everything again, to a new parent."""
        for key, reduction in self._keys.items():
            reduction.forget_report()
            self._touch(key)

    def forget(self, key: str) -> None:
        """Ends a reduction."""
        self._keys.pop(key, None)
        self._dirty.discard(key)

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
                self._service.notify(topic, {"key": key, "value": value}, upstream=True)
