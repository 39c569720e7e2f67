"""A broker's attributes: names, text values, who may change them (flux-broker-attributes(7))."""

from collections.abc import Callable
from errno import ENOENT, EPERM

IMMUTABLE = 1
"""Flag of a value that never changes, so that clients may keep it."""

Told = Callable[[str], None]


class AttributeTable:
    """The attributes of one broker."""

    def __init__(self, values: dict[str, str] | None = None) -> None:
        self._values = dict(values or {})
        self._flags: dict[str, int] = {}
        self._watchers: dict[str, list[Told]] = {}

    def get(self, name: str) -> str:
        """The value; OSError(ENOENT) names an attribute that is not there."""
        try:
            return self._values[name]
        except KeyError:
            raise OSError(ENOENT, f"{name}: No such attribute") from None

    def lookup(self, name: str, default: str) -> str:
        """The value, or `default`."""
        return self._values.get(name, default)

    def flags(self, name: str) -> int:
        """IMMUTABLE or 0."""
        return self._flags.get(name, 0)

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._values)

    def set(self, name: str, value: str, *, force: bool = False) -> None:
        """Sets a value. OSError(EPERM) if it is immutable and not forced; a watcher may refuse (OSError(EINVAL))."""
        if self.flags(name) & IMMUTABLE and not force:
            raise OSError(EPERM, f"{name}: attribute may not be changed")
        for told in self._watchers.get(name, []):
            told(value)
        self._values[name] = value

    def fix(self, name: str, value: str) -> None:
        """Sets a value for good."""
        self._values[name] = value
        self._flags[name] = IMMUTABLE

    def remove(self, name: str) -> None:
        """Removes an attribute, if it is there. OSError(EPERM) if it is immutable or in use."""
        if self.flags(name) & IMMUTABLE or name in self._watchers:
            raise OSError(EPERM, f"{name}: attribute may not be removed")
        self._values.pop(name, None)

    def watch(self, name: str, told: Told) -> None:
        """Calls `told` with a new value before it is set; it refuses by raising OSError(EINVAL)."""
        self._watchers.setdefault(name, []).append(told)

    def unwatch(self, name: str, told: Told) -> None:
        """Takes one `watch` back."""
        watchers = self._watchers.get(name, [])
        if told in watchers:
            watchers.remove(told)
        if not watchers:
            self._watchers.pop(name, None)
