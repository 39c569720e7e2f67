"""How far many jobs are: one line at the bottom of a terminal (flux-submit(1), --progress)."""

import sys
from collections import Counter
from time import monotonic
from typing import TextIO

PERIOD = 0.1
"""Seconds from one drawing to the next."""
WIDTH = 24


class JobsBar:
    """Counts jobs by what they do; draws nothing where nobody looks."""

    def __init__(self, total: int, *, rate: bool = False, shown: bool = True, to: TextIO = sys.stderr) -> None:
        self._to, self._rate, self._shown = to, rate, shown and to.isatty()
        self.total = total
        self._jobs: dict[int, str] = {}
        self._counts: Counter[str] = Counter()
        self._begun = monotonic()
        self._drawn = 0.0

    def note(self, id: int, what: str) -> None:
        """A job is PD, R, CD or F now."""
        before = self._jobs.get(id)
        if before == what or before in ("CD", "F"):
            return
        if before is not None:
            self._counts[before] -= 1
        self._jobs[id] = what
        self._counts[what] += 1
        if self._shown and (monotonic() - self._drawn > PERIOD or self.done == self.total):
            self.draw()

    @property
    def done(self) -> int:
        """Jobs that are over."""
        return self._counts["CD"] + self._counts["F"]

    def line(self, seconds: float) -> str:
        """What is drawn, so many seconds after the beginning."""
        share = self.done / self.total if self.total else 1.0
        filled = int(share * WIDTH)
        counts = " ".join(f"{what}:{self._counts[what]:<5}" for what in ("PD", "R", "CD", "F"))
        pace = f"{self.done / seconds if seconds else 0:.1f} job/s" if self._rate else _clock(seconds)
        return f"{counts}│{'█' * filled}{' ' * (WIDTH - filled)}│{100 * share:5.1f}% {pace}"

    def draw(self) -> None:
        """Draws it anew."""
        self._drawn = monotonic()
        self._to.write(f"\r{self.line(self._drawn - self._begun)}\033[K")
        self._to.flush()

    def clear(self) -> None:
        """Makes room for something else to be written."""
        if self._shown and self._drawn:
            self._to.write("\r\033[K")
            self._to.flush()

    def end(self) -> None:
        """It stays as it is."""
        if self._shown:
            self.draw()
            self._to.write("\n")
            self._to.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
