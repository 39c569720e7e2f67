"""The brokers directly below: who is taken in, what they claim, what is gone with them."""

from collections.abc import Iterator
from errno import EINVAL, ESHUTDOWN

from flux.overlay.notices import Gone, Joined, Notice
from flux.overlay.peers import PROTOCOL, Hello
from flux.overlay.router import Hop, Router
from flux.overlay.routes import Claim
from flux.wire.message import Message, Request, Response, refuse

Lost = tuple[list[tuple[Hop | str, Message | Notice]], list[Claim], Gone | None]


class Children:
    """The children of one broker."""

    def __init__(self, rank: int, size: int, router: Router) -> None:
        self._rank, self._size, self._router = rank, size, router
        self._ranks: dict[Hop, int] = {}
        self._waiting: list[tuple[Hop, Request]] = []
        self.admitting: bool | None = None
        """Whether children are taken in; None while they have to wait for the answer."""

    def __contains__(self, link: Hop) -> bool:
        return link in self._ranks

    def __iter__(self) -> Iterator[Hop]:
        return iter(list(self._ranks))

    def __len__(self) -> int:
        return len(self._ranks)

    @property
    def ranks(self) -> list[int]:
        """The ranks of the children, in order."""
        return sorted(self._ranks.values())

    def wait(self, link: Hop, hello: Request) -> None:
        """Keeps a hello until it is known whether children are taken in."""
        self._waiting.append((link, hello))

    def admit(self, yes: bool) -> list[tuple[Hop, Request]]:
        """Decides; returns the hellos that have waited."""
        waiting, self._waiting, self.admitting = self._waiting, [], yes
        return waiting

    def rank(self, link: Hop) -> int:
        """The rank of the child on that link."""
        return self._ranks[link]

    def objection(self, msg: Request, link: Hop) -> Response | None:
        """Why that broker cannot be our child, if so."""
        hello = Hello.of(msg)
        if not self.admitting:
            return refuse(msg, ESHUTDOWN, f"rank {self._rank} is shutting down")
        if hello.protocol != PROTOCOL:
            return refuse(msg, EINVAL, f"overlay protocol {hello.protocol}, expected {PROTOCOL}")
        if hello.uuid.encode() != link:
            return refuse(msg, EINVAL, f"rank {hello.rank} says hello under another broker's address")
        if not 0 < hello.rank < self._size or hello.rank == self._rank:
            return refuse(msg, EINVAL, f"rank {hello.rank} cannot be below rank {self._rank}")
        return None

    def add(self, link: Hop, hello: Hello) -> tuple[list[Claim], Joined]:
        """Takes a child in."""
        self._ranks[link] = hello.rank
        self._router.pending.watch(link)
        return self.claim(link, hello.claims)

    def claim(self, link: Hop, claims: list[Claim]) -> tuple[list[Claim], Joined]:
        """Takes what a child claims; returns what is new."""
        news = self._router.routes.claim(link, claims)
        return news, Joined(link, tuple(claim.rank for claim in news))

    def withdraw(self, link: Hop, claims: list[Claim], reason: str) -> tuple[list[Claim], Gone | None]:
        """A child has lost brokers below it."""
        gone = self._router.routes.withdraw(link, claims)
        return gone, _gone(gone, reason)

    def lost(self, link: Hop, reason: str) -> Lost:
        """A child is gone, and all it led to: returns refusals, lost claims, and the notice."""
        if self._ranks.pop(link, None) is None:
            self._waiting = [(via, msg) for via, msg in self._waiting if via != link]
            return [], [], None
        gone = self._router.routes.drop(link)
        return list(self._router.lost(link)), gone, _gone(gone, reason)


def _gone(claims: list[Claim], reason: str) -> Gone | None:
    if not claims:
        return None
    return Gone(tuple(claim.rank for claim in claims), tuple(claim.uuid.encode() for claim in claims), reason)
