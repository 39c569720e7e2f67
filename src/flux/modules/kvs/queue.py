"""Commits that wait for their root: which of them make the next one together."""

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from flux.modules.kvs.transaction import Transaction

if TYPE_CHECKING:
    from flux.service.call import Call


class Commit(NamedTuple):
    """A transaction, who asked for it (nobody who waits for an answer: None), and its name in the event of it."""

    call: "Call | None"
    transaction: Transaction
    name: str


class Queue:
    """Commits in the order they came."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[Commit] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, commit: Commit) -> None:
        """Adds one at the end."""
        self._waiting.append(commit)

    def take(self) -> list[Commit]:
        """Takes those that make the next root: as many as may be merged, or one that must be alone."""
        batch: list[Commit] = []
        while self._waiting:
            alone = self._waiting[0].transaction.alone
            if alone and batch:
                break
            batch.append(self._waiting.popleft())
            if alone:
                break
        return batch
