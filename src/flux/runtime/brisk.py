"""Looking again for a moment instead of falling asleep: to be woken takes longer than most answers do.

Only while what came last came at once, and only on a processor that nobody else wants: who waits for long, or on a busy
machine, sleeps as ever. Imports no asyncio: commands wait this way too.
"""

from collections.abc import Callable
from os import sched_yield
from time import perf_counter
from typing import Any, Protocol

MOMENT = 50e-6
"""Seconds to look for: about what it takes to fall asleep on one processor and to be woken from another."""

BRISK = 110e-6
"""Seconds within which something came at once: a moment, and being woken."""

TAKEN = 300e-6
"""A processor that was offered and came back later than this many seconds was taken by somebody who computes. Others
need it for a moment: a thread of ours, the kernel."""


RARELY = 0.1
"""Seconds in which a processor that somebody computes on is not offered again: who takes it keeps it for a slice."""


class Offer:
    """Offers the processor to others, and says whether one took it, now or a short while ago."""

    __slots__ = ("_clock", "_until", "_yield")

    def __init__(self, clock: Callable[[], float] = perf_counter, give: Callable[[], None] = sched_yield) -> None:
        self._clock, self._yield = clock, give
        self._until = float("-inf")

    def __call__(self) -> bool:
        before = self._clock()
        if before < self._until:
            return True
        self._yield()
        after = self._clock()
        if after - before <= TAKEN:
            return False
        self._until = after + RARELY
        return True


taken = Offer()
"""This process's."""


def look(
    found: Callable[[], object], clock: Callable[[], float] = perf_counter, taken: Callable[[], bool] = taken
) -> None:
    """Asks `found` again and again until it says yes, the moment is over, or somebody else takes the processor."""
    end = clock() + MOMENT
    while not found() and clock() < end and not taken():
        pass


class Loop(Protocol):
    """What is needed of an event loop."""

    def call_soon(self, callback: Callable[[], None], /) -> Any:
        """Calls it in the next turn, which begins at once."""


class Vigil:
    """Keeps a loop turning for a moment after something came, if what comes next is likely to come at once."""

    __slots__ = ("_clock", "_last", "_loop", "_taken", "_turning", "_until")

    def __init__(
        self, loop: Loop, clock: Callable[[], float] = perf_counter, taken: Callable[[], bool] = taken
    ) -> None:
        self._loop, self._clock, self._taken = loop, clock, taken
        self._last, self._until = float("-inf"), 0.0
        self._turning = False

    def came(self) -> None:
        """Something came."""
        now = self._clock()
        if now - self._last < BRISK:
            self._until = now + MOMENT
            if not self._turning:
                self._turning = True
                self._loop.call_soon(self._turn)
        self._last = now

    def _turn(self) -> None:
        self._turning = self._clock() < self._until and not self._taken()
        if self._turning:
            self._loop.call_soon(self._turn)
