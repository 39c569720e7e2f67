"""Reductions: values merged on their way up. A link's report replaces its last one, so that nothing counts twice."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

OWN = b""
"""The link of what this broker itself contributes."""


class Reduction(Generic[T]):
    """The contributions of one broker's links to one value, and whether the parent has to hear of a change."""

    __slots__ = ("_links", "_merge", "_reported")

    def __init__(self, merge: Callable[[Iterable[T]], T]) -> None:
        self._merge = merge
        self._links: dict[bytes, T] = {}
        self._reported: T | None = None

    def put(self, link: bytes, value: T) -> None:
        """Replaces what that link has contributed."""
        self._links[link] = value

    def drop(self, link: bytes) -> bool:
        """Takes that link's contribution out; says whether there was one."""
        return self._links.pop(link, None) is not None

    @property
    def links(self) -> frozenset[bytes]:
        """Who has contributed."""
        return frozenset(self._links)

    def value(self) -> T:
        """All contributions, merged."""
        return self._merge(self._links.values())

    def change(self) -> T | None:
        """The merged value if it is not what was last taken from here, else None."""
        value = self.value()
        if value == self._reported:
            return None
        self._reported = value
        return value

    @property
    def reported(self) -> bool:
        """Whether something was taken from here since the beginning, or since `forget_report`."""
        return self._reported is not None

    def forget_report(self) -> None:
        """Makes the next `change` speak again: there is a new parent who knows nothing."""
        self._reported = None
