"""How often, and for how long, somebody who cannot be reached is tried again. Pure: it is told the time."""

LEAST, MOST = 0.05, 2.0
"""Seconds between two tries: they double from the one to the other. The first try is at once."""


class Patience:
    """`limit` seconds from the first failure on, for as long as nothing is heard."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._since: float | None = None
        self._tries = 0

    def failed(self, now: float) -> float | None:
        """A try has failed. Returns the seconds until the next one, None if there should be none."""
        if self._since is None:
            self._since = now
        if now - self._since >= self._limit:
            return None
        pause = min(MOST, LEAST * 2 ** (self._tries - 1)) if self._tries else 0.0
        self._tries += 1
        return pause

    def heard(self) -> None:
        """There was an answer: the next failure is the first one again."""
        self._since, self._tries = None, 0
