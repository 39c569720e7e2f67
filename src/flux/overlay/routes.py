"""Which link leads to which rank: learned from what the links claim. The newer claim wins, whichever comes first."""

from collections.abc import Iterable
from typing import NamedTuple


class Claim(NamedTuple):
    """A broker that can be reached: its rank, its uuid, when it attached to its parent, and where it listens."""

    rank: int
    uuid: str
    epoch: int
    """Grows with each parent; a broker that comes back under its rank begins higher."""
    card: str = ""
    """Its business card, where it is told to those below who may have to find it; else not."""


class Change(NamedTuple):
    """What a withdrawal did: claims that nobody makes any more, and others that are in force in place of them."""

    gone: list[Claim]
    news: list[Claim]


class Routes:
    """The ranks below this broker, each with the link that leads there.

    A broker that moves may be claimed by two links for a while. Both are remembered: whichever is withdrawn, the other
    one stays. Until then the newer claim is in force.
    """

    def __init__(self) -> None:
        self._links: dict[int, bytes] = {}
        self._claims: dict[int, Claim] = {}
        self._others: dict[int, dict[bytes, Claim]] = {}

    def __len__(self) -> int:
        return len(self._links)

    def link(self, rank: int) -> bytes | None:
        """The link towards `rank`; None if nobody below claims it."""
        return self._links.get(rank)

    def get(self, rank: int) -> Claim | None:
        """The claim in force for a rank."""
        return self._claims.get(rank)

    def below(self, link: bytes) -> list[int]:
        """The ranks that `link` leads to, in order."""
        return sorted(rank for rank, via in self._links.items() if via == link)

    def claims(self) -> list[Claim]:
        """All that is claimed here, for a parent that knows nothing yet."""
        return list(self._claims.values())

    def claim(self, link: bytes, claims: Iterable[Claim]) -> list[Claim]:
        """Takes what `link` claims; returns the claims that are in force now and were not before."""
        news = []
        for claim in claims:
            rank, known = claim.rank, self._claims.get(claim.rank)
            if known is not None and self._links[rank] != link:
                if known.epoch > claim.epoch:
                    self._others.setdefault(rank, {})[link] = claim
                    continue
                self._others.setdefault(rank, {})[self._links[rank]] = known
                self._others[rank].pop(link, None)
            elif known == claim:
                continue
            self._claims[rank], self._links[rank] = claim, link
            news.append(claim)
        return news

    def withdraw(self, link: bytes, ranks: Iterable[int]) -> Change:
        """Takes back what `link` has claimed."""
        change = Change([], [])
        for rank in ranks:
            others = self._others.get(rank, {})
            if self._links.get(rank) != link:
                others.pop(link, None)
            elif others:
                via, claim = max(others.items(), key=lambda other: other[1].epoch)
                self._links[rank], self._claims[rank] = via, others.pop(via)
                change.news.append(claim)
            elif rank in self._links:
                del self._links[rank]
                change.gone.append(self._claims.pop(rank))
            if not others:
                self._others.pop(rank, None)
        return change

    def drop(self, link: bytes) -> Change:
        """Forgets all that led over `link`."""
        ranks = [rank for rank, via in self._links.items() if via == link]
        return self.withdraw(link, ranks + [rank for rank, others in self._others.items() if link in others])
