"""A jobspec or R with all that events have changed of it. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any


def updated(key: str, obj: dict[str, Any], events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Applies the events jobspec-update, or resource-update, in order."""
    name = {"jobspec": "jobspec-update", "R": "resource-update"}.get(key)
    for event in events:
        if event["name"] == name:
            for path, value in event.get("context", {}).items():
                _put(obj, path if key == "jobspec" else f"execution.{path}", value)
    return obj


def _put(obj: dict[str, Any], path: str, value: Any) -> None:
    *way, last = path.split(".")
    for key in way:
        obj = obj.setdefault(key, {})
    obj[last] = value
