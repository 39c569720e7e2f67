"""Lines on their way to rank 0: numbered at the source, kept until acknowledged, dropped when doubled. Pure."""

from collections import deque
from typing import NamedTuple

MOST_WAITING = 8192
"""Lines that wait; what comes on top of them replaces the oldest ones."""
MOST_SENT = 1024
"""Lines in one message."""


class Batch(NamedTuple):
    """Lines in a row; `first` is the number of the first one."""

    first: int
    lines: list[str]


class Outbox:
    """What one broker still has to get rid of. At most one batch is on its way at a time."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._first = 1
        self._sent = 0
        self.dropped = 0
        """Lines that were dropped because too many waited, until who reads this sets it to 0."""

    def add(self, line: str) -> None:
        """Takes a line."""
        self._waiting.append(line)
        if len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self._first += 1
            self.dropped += 1
            self._sent = max(self._sent - 1, 0)

    def take(self) -> Batch | None:
        """What is to be sent now; None while a batch is on its way, or when there is nothing."""
        if self._sent or not self._waiting:
            return None
        self._sent = min(len(self._waiting), MOST_SENT)
        return Batch(self._first, [self._waiting[at] for at in range(self._sent)])

    def arrived(self) -> None:
        """What was on its way has arrived."""
        for _ in range(self._sent):
            self._waiting.popleft()
        self._first += self._sent
        self._sent = 0

    def failed(self) -> None:
        """It has not, or nobody knows: it will be sent again."""
        self._sent = 0


class Inbox:
    """What rank 0 has had from each source."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def fresh(self, source: str, batch: Batch) -> list[str]:
        """Those lines of a batch that did not come before."""
        expected = self._next.get(source, 1)
        self._next[source] = max(expected, batch.first + len(batch.lines))
        return batch.lines[max(expected - batch.first, 0) :]
