"""What came of a case, and whether that is what should come of it. Pure."""

from difflib import unified_diff
from typing import NamedTuple

from interop.normal import Said
from interop.words import Reworded


class Outcome(NamedTuple):
    """A case, tried four times: a command of today's Flux and of ours, each with a broker of both."""

    case: str
    today: Said
    """Their command, their broker."""
    theirs: Said
    """Their command, our broker."""
    ours: Said
    """Our command, their broker."""
    home: Said
    """Our command, our broker."""

    @property
    def broker(self) -> list[str]:
        """Where their command does not find with our broker what it finds with its own."""
        return self._differing(self.today, self.theirs)

    @property
    def command(self) -> list[str]:
        """Where our command says of their broker neither what it says of ours, nor what theirs does."""
        found = self._differing(self.home, self.ours)
        return found if found and self._differing(self.today, self.ours) else []

    @property
    def differs(self) -> bool:
        """Whether it does so in either way."""
        return bool(self.broker or self.command)

    @property
    def words(self) -> list[str]:
        """Where the two say different things, each at home. No failure, yet good to know."""
        return self._differing(self.today, self.home)

    def _differing(self, wanted: Said, found: Said) -> list[str]:
        reworded = isinstance(self.case, Reworded)
        pair = wanted.lines(reworded=reworded), found.lines(reworded=reworded)
        return [line for line in unified_diff(*pair, lineterm="", n=0) if not line.startswith(("---", "+++", "@@"))]
