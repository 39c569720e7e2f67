"""When the log of a job has all that will ever be in it (RFC 18, 24, 50). Pure."""

from collections.abc import Mapping
from typing import Any

LAST = {"eventlog": "clean", "guest.exec.eventlog": "done"}


class End:
    """Told each event of one log, says whether it was the last."""

    def __init__(self, path: str) -> None:
        self._last = LAST.get(path)
        self._open: int | None = None
        self._is_io = path in ("guest.output", "guest.input")

    def reached(self, event: Mapping[str, Any]) -> bool:
        """Takes the next event."""
        if self._last is not None:
            return bool(event["name"] == self._last)
        if not self._is_io:
            return False
        context = event.get("context", {})
        if event["name"] == "header":
            self._open = sum(context.get("count", {}).values())
        elif event["name"] == "data" and context.get("eof") and self._open is not None:
            self._open -= 1
        return self._open == 0
