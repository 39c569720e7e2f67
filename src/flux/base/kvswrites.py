"""What a service has to write to the key-value store: many logs and values in one commit. Pure: it sends nothing."""

from collections.abc import Callable
from typing import Any

from flux.base import treeobj

APPEND = 32
Told = Callable[[str], None]
"""Called when it is there, with "", or with why it is not."""


class Writes:
    """Lines of logs, and other operations, that wait for the next commit."""

    def __init__(self) -> None:
        self._lines: dict[str, list[bytes]] = {}
        self._ops: list[dict[str, Any]] = []
        self._told: list[Told] = []

    def __bool__(self) -> bool:
        return bool(self._lines or self._ops)

    def line(self, key: str, line: bytes) -> None:
        """A log gets a line."""
        self._lines.setdefault(key, []).append(line)

    def put(self, key: str, value: bytes) -> None:
        """A key gets a value."""
        self._ops.append({"key": key, "flags": 0, "dirent": treeobj.val(value)})

    def unlink(self, key: str) -> None:
        """A key is gone; what was to be written there or below, too."""
        for log in [log for log in self._lines if log == key or log.startswith(key + ".")]:
            del self._lines[log]
        self._ops.append({"key": key, "flags": 0, "dirent": None})

    def then(self, told: Told) -> None:
        """Somebody waits for all that is in it now."""
        self._told.append(told)

    def take(self) -> tuple[list[dict[str, Any]], list[Told]]:
        """The operations of one commit, and who waits for it."""
        ops = self._ops
        for key, lines in self._lines.items():
            ops.append({"key": key, "flags": APPEND, "dirent": treeobj.val(b"".join(lines))})
        told = self._told
        self._lines, self._ops, self._told = {}, [], []
        return ops, told
