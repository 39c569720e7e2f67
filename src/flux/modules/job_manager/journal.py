"""Who follows the events of all jobs (job-manager.events-journal), and what each wants to hear of."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

SENTINEL: dict[str, Any] = {"id": -1, "events": []}


class Ear(Protocol):
    """Somebody who takes a stream: a Call."""

    def respond(self, data: dict[str, Any]) -> None: ...


class Follower:
    """One of them."""

    def __init__(self, ear: Ear, allow: Collection[str] | None, deny: Collection[str] | None) -> None:
        self.ear = ear
        self._allow, self._deny = allow, deny

    def tell(self, id: int, events: Iterable[Mapping[str, Any]], **more: Any) -> None:
        """Tells what it wants to hear."""
        wanted = [event for event in events if self._wants(event["name"])]
        if wanted:
            self.ear.respond({"id": id, "events": wanted, **more})

    def _wants(self, name: str) -> bool:
        if self._allow is not None and name not in self._allow:
            return False
        return self._deny is None or name not in self._deny
