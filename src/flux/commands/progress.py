"""How far long work is: a count on stderr, kept in one line of a terminal."""

import sys
from time import monotonic
from types import TracebackType
from typing import Self

PERIOD = 0.2
"""Seconds from one count to the next."""


class Progress:
    """Counts steps; `text` has a place for the number."""

    def __init__(self, text: str, *, quiet: bool = False) -> None:
        self._text, self._quiet = text, quiet or not sys.stderr.isatty()
        self.count = 0
        self._said = 0.0

    def step(self) -> None:
        """One more is done."""
        self.count += 1
        if not self._quiet and monotonic() - self._said > PERIOD:
            self._said = monotonic()
            print(f"\r{self._text.format(self.count)}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._quiet:
            print(f"\r{self._text.format(self.count)}", file=sys.stderr)
