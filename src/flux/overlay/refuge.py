"""Whom a broker asks to become its parent when it has lost the one it had."""

from flux.overlay.routes import Claim


def refuges(line: list[Claim], *, parent_lives: bool) -> list[Claim]:
    """Who to ask, in this order, by a broker that `line` was above of: the parent first, rank 0 last.

    A parent that is gone is asked last of all: it may be only its connection that broke.
    """
    if parent_lives:
        return list(line)
    return [*line[1:], *line[:1]]


class Search:
    """Goes through the candidates. Where several say the same (that somebody above them looks for a parent itself) it
    takes longer and longer steps: all below that one would say it. Rank 0 is never left out.
    """

    def __init__(self, candidates: list[Claim]) -> None:
        self._candidates = candidates
        self._at, self._step, self._said = 0, 1, ""

    @property
    def candidate(self) -> Claim | None:
        """Who is to be asked, None when all were."""
        return self._candidates[self._at] if self._at < len(self._candidates) else None

    def next(self, said: str = "") -> None:
        """The candidate cannot now; `said` is why, if others may say the same."""
        at_rank_0 = self._candidates[self._at].rank == 0
        self._step = self._step * 2 if said and said == self._said and not at_rank_0 else 1
        self._said = said
        ahead = self._candidates[self._at + 1 : self._at + self._step]
        skipped = next((count for count, claim in enumerate(ahead) if claim.rank == 0), len(ahead))
        self._at += 1 + skipped
