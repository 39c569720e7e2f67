"""How much more stdin may be sent: as much as the slowest reader has taken. Pure."""

from collections.abc import Iterable

WINDOW = 1 << 16
"""Bytes of stdin that may be under way to a job."""


class Credits:
    """Readers of the same input, and what each has taken of it."""

    def __init__(self, readers: Iterable[int]) -> None:
        self._taken = dict.fromkeys(readers, 0)
        self._granted = 0

    def took(self, reader: int, count: int) -> int:
        """A reader has taken so many bytes more. Returns how many more everybody has taken by that."""
        if reader in self._taken:
            self._taken[reader] += count
        return self._grant()

    def left(self, reader: int) -> int:
        """A reader will take no more, and nobody waits for it any longer."""
        self._taken.pop(reader, None)
        return self._grant()

    def _grant(self) -> int:
        least = min(self._taken.values(), default=self._granted)
        more, self._granted = least - self._granted, least
        return more
