"""Which link leads to which rank: learned from what the links claim. The newer claim wins, whichever comes first."""

from collections.abc import Iterable
from typing import NamedTuple


class Claim(NamedTuple):
    """A broker that can be reached: its rank, its uuid, and how often it has attached to a parent."""

    rank: int
    uuid: str
    epoch: int


class Routes:
    """The ranks below this broker, each with the link that leads there."""

    def __init__(self) -> None:
        self._links: dict[int, bytes] = {}
        self._claims: dict[int, Claim] = {}

    def __len__(self) -> int:
        return len(self._links)

    def link(self, rank: int) -> bytes | None:
        """The link towards `rank`; None if nobody below claims it."""
        return self._links.get(rank)

    def claims(self) -> list[Claim]:
        """All that is claimed here, for a parent that knows nothing yet."""
        return list(self._claims.values())

    def claim(self, link: bytes, claims: Iterable[Claim]) -> list[Claim]:
        """Takes what `link` claims; returns the claims that were news."""
        news = []
        for claim in claims:
            known = self._claims.get(claim.rank)
            if known is not None and (
                known.epoch > claim.epoch or (known == claim and self._links[claim.rank] == link)
            ):
                continue
            self._claims[claim.rank] = claim
            self._links[claim.rank] = link
            news.append(claim)
        return news

    def withdraw(self, link: bytes, claims: Iterable[Claim]) -> list[Claim]:
        """Takes back claims of `link`; returns those that were in force. A newer claim stays."""
        gone = []
        for claim in claims:
            known = self._claims.get(claim.rank)
            if known is not None and known.epoch <= claim.epoch and self._links[claim.rank] == link:
                del self._claims[claim.rank], self._links[claim.rank]
                gone.append(known)
        return gone

    def drop(self, link: bytes) -> list[Claim]:
        """Forgets all that led over `link`; returns the claims that are gone."""
        return self.withdraw(link, [self._claims[rank] for rank, via in list(self._links.items()) if via == link])
