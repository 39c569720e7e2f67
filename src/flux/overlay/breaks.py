"""Connections that broke: what is told of each, and which of them a broker has been told of already."""

from collections import deque
from typing import NamedTuple

REMEMBERED = 1000
"""Breaks that are known when they are told again: a broker with two parents hears of one twice."""


class Break(NamedTuple):
    """A connection that broke, as it is seen from who is told: `near` is the end that is nearer, "" for who tells."""

    name: str
    near: str
    far: str


class Breaks:
    """The breaks that one broker has heard of."""

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        self._names: set[str] = set()
        self._own = 0

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def number(self) -> int:
        """The number of the next break that this broker is the first to tell of."""
        self._own += 1
        return self._own

    def add(self, name: str) -> None:
        """Remembers one."""
        self._names.add(name)
        self._order.append(name)
        if len(self._order) > REMEMBERED:
            self._names.discard(self._order.popleft())
