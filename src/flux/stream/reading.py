"""A reader's side of a stream: what it asks for, and what it makes of the answers. It sends nothing."""

from typing import Any

from flux.base import treeobj
from flux.base.streamlog import Fold, Said, Tail
from flux.constants import (
    FLUX_KVS_STREAM,
    FLUX_KVS_WAITCREATE,
    FLUX_KVS_WATCH,
    FLUX_KVS_WATCH_APPEND,
    FLUX_KVS_WATCH_INITIAL_SENTINEL,
)
from flux.kvs.where import namespace_or_default

WINDOW = 2 << 20
"""Bytes of a log that may be under way to a reader."""


class Reading:
    """One reader."""

    topic = "kvs-watch.lookup"

    def __init__(self, key: str, namespace: str | None, follow: bool, wait: bool, tail: int | None) -> None:
        flags = FLUX_KVS_WATCH | FLUX_KVS_WATCH_APPEND | FLUX_KVS_WATCH_INITIAL_SENTINEL if follow else FLUX_KVS_STREAM
        where = {"key": key, "namespace": namespace_or_default(namespace)}
        self.payload = where | {"flags": flags | FLUX_KVS_WAITCREATE * wait, "window": WINDOW}
        self.fold = Fold()
        self.key = key
        self._tail = None if tail is None else Tail(tail)
        self._read = 0

    def take(self, answer: dict[str, Any] | None) -> list[Said]:
        """What an answer says; None when all has come that was there at first."""
        if answer is None:
            return self.rest()
        value = treeobj.value_of(answer["val"])
        self._read += len(value)
        try:
            said = self.fold.feed(value)
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.key) from None
        if self._tail is None:
            return said
        for one in said:
            self._tail.put(one)
        return self.rest() if self.fold.ended else []

    def rest(self) -> list[Said]:
        """The last lines of what was there at first, if only those are wanted."""
        tail, self._tail = self._tail, None
        return tail.last() if tail is not None else []

    def due(self) -> int:
        """The credit to give now, in bytes."""
        if self._read < WINDOW // 2:
            return 0
        read, self._read = self._read, 0
        return read
