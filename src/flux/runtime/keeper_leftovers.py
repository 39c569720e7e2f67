"""What is left of tasks that have ended: what came of them and, as they did, has come to the keeper, the subreaper.

It is known by its environment, which every process inherits and few change. Knows nothing of why it should end.
"""

import os
import signal
from collections.abc import Container
from contextlib import suppress
from time import monotonic

from flux.runtime.linux import children, descendants, environment

PATIENCE = 0.1
"""Seconds in which a process shows its environment: while it becomes another program, it has none."""


class Leftovers:
    """Ends them. One who was started by order is nobody's leftover."""

    def __init__(self) -> None:
        self._wanted: dict[tuple[bytes, ...], float] = {}
        """Until when to look for those who have all these words (NAME=VALUE) in their environment."""

    def __bool__(self) -> bool:
        """Whether to look again in a moment."""
        return bool(self._wanted)

    def want(self, words: list[bytes]) -> None:
        """Has those end who have all these words in their environment."""
        self._wanted[tuple(words)] = monotonic() + PATIENCE

    def end(self, started: Container[int]) -> None:
        """Kills those that there are, with all that is below them."""
        orphans = {pid: environment(pid) for pid in children(os.getpid()) if pid not in started}
        for words, until in list(self._wanted.items()):
            found = [pid for pid, own in orphans.items() if own.issuperset(words)]
            for pid in [*found, *(below for one in found for below in descendants(one))]:
                with suppress(OSError):  # gone, or another user's by now
                    os.kill(pid, signal.SIGKILL)
            sure = not found and all(orphans.values())
            if sure or monotonic() > until:
                del self._wanted[words]
