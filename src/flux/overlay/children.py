"""The brokers directly below: who is taken in, what they claim, what is gone with them."""

from collections.abc import Collection, Iterator
from errno import EAGAIN, EINVAL, ELOOP, ESHUTDOWN
from typing import NamedTuple

from flux.overlay.notices import Gone, Joined, Notice
from flux.overlay.peers import PROTOCOL, Hello
from flux.overlay.router import Hop, Router
from flux.overlay.routes import Change, Claim
from flux.wire.message import Message, Request, Response, refuse


class Lost(NamedTuple):
    """What follows from the loss of a child: refusals, changed claims, and what is to be told of it."""

    refusals: list[tuple[Hop | str, Message | Notice]]
    change: Change
    notice: Gone | None


class Children:
    """The children of one broker."""

    def __init__(self, rank: int, size: int, router: Router) -> None:
        self._rank, self._size, self._router = rank, size, router
        self._ranks: dict[Hop, int] = {}
        self.former: set[Hop] = set()
        """The links of children that have another parent now and with whom something is still open."""
        self.dismissed: set[Hop] = set()
        """The links of children that were sent away and may not know it yet."""
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

    def knew(self, link: Hop) -> bool:
        """Whether that is the link of somebody who was our child."""
        return link in self.former or link in self.dismissed

    def rank(self, link: Hop) -> int:
        """The rank of the child on that link."""
        return self._ranks[link]

    def link(self, rank: int) -> Hop | None:
        """The link of the child of that rank."""
        return next((link for link, known in self._ranks.items() if known == rank), None)

    def objection(self, msg: Request, link: Hop, line: Collection[int], settled: bool) -> Response | None:
        """Why that broker cannot be our child, if so. `line` are the ranks above us, if that is `settled`."""
        hello = Hello.of(msg)
        if not self.admitting:
            return refuse(msg, ESHUTDOWN, f"rank {self._rank} is shutting down")
        if hello.protocol != PROTOCOL:
            return refuse(msg, EINVAL, f"overlay protocol {hello.protocol}, expected {PROTOCOL}")
        if hello.uuid.encode() != link:
            return refuse(msg, EINVAL, f"rank {hello.rank} says hello under another broker's address")
        if not 0 < hello.rank < self._size or hello.rank == self._rank:
            return refuse(msg, EINVAL, f"rank {hello.rank} cannot be below rank {self._rank}")
        if not settled:
            return refuse(msg, EAGAIN, f"rank {self._rank} is looking for a parent itself")
        if hello.rank in line or any(claim.rank == self._rank for claim in hello.claims):
            return refuse(msg, ELOOP, f"rank {hello.rank} is above rank {self._rank}")
        if any(claim.rank in line for claim in hello.claims):
            return refuse(msg, EAGAIN, f"who is above rank {self._rank} is about to leave rank {hello.rank}")
        return None

    def add(self, link: Hop, hello: Hello) -> tuple[list[Claim], Joined]:
        """Takes a child in."""
        self._ranks[link] = hello.rank
        self.former.discard(link)
        self.dismissed.discard(link)
        self._router.pending.watch(link)
        return self.claim(link, hello.claims)

    def claim(self, link: Hop, claims: list[Claim]) -> tuple[list[Claim], Joined]:
        """Takes what a child claims; returns what is new."""
        news = self._router.routes.claim(link, claims)
        return news, Joined(link, tuple(claim.rank for claim in news))

    def withdraw(self, link: Hop, claims: list[Claim]) -> Change:
        """A child has lost brokers below it."""
        return self._router.routes.withdraw(link, [claim.rank for claim in claims])

    def moved(self, link: Hop) -> Change:
        """A child has another parent."""
        del self._ranks[link]
        self.former.add(link)
        return self._router.routes.drop(link)

    def parted(self, link: Hop) -> bool:
        """A child that has another parent has nothing open with us any more; False if it is no such child."""
        known = link in self.former
        self.former.discard(link)
        return known

    def lost(self, link: Hop, reason: str) -> Lost:
        """A child is gone, and all that only it led to."""
        self.dismissed.discard(link)
        if link in self.former:
            self.former.discard(link)
            return Lost(list(self._router.lost(link)), Change([], []), Gone((), (link,), reason))
        if self._ranks.pop(link, None) is None:
            self._waiting = [(via, msg) for via, msg in self._waiting if via != link]
            return Lost([], Change([], []), None)
        change = self._router.routes.drop(link)
        return Lost(list(self._router.lost(link)), change, gone(change.gone, reason, link))


def gone(claims: list[Claim], reason: str, *links: Hop) -> Gone:
    """Tells which brokers are gone; `links` are, even if the broker behind can be reached otherwise by now."""
    return Gone(tuple(claim.rank for claim in claims), links, reason)
