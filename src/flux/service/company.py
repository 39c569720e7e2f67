"""Who has come to what, by rank: kept on rank 0 by services whose callers wait for each other."""

from collections.abc import Iterable

from flux.wire.message import Event

GONE = (2, 3)
"""What `live` calls a broker that has failed, or has left."""


class Company:
    """A broker that moves is missed for a moment, and has not left: only `live` says who has."""

    def __init__(self) -> None:
        self._come: dict[str, set[int]] = {}

    def come(self, key: str, ranks: Iterable[str]) -> None:
        """Callers of these ranks have been heard of."""
        self._come.setdefault(key, set()).update(map(int, ranks))

    def over(self, key: str) -> None:
        """Nobody waits at `key` any more."""
        self._come.pop(key, None)

    def bereaved(self, event: Event) -> list[str]:
        """What an event of `live` puts an end to: all that callers of a rank had come to which is gone now."""
        body = event.body()
        if body["nstate"] not in GONE:
            return []
        return [key for key, ranks in self._come.items() if body["rank"] in ranks]
