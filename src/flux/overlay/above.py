"""Those above one broker: its parent, the one it asks to become that, and those it has left but still talks to."""

from collections.abc import Iterable
from errno import EHOSTUNREACH, EINVAL, ENOTCONN

from flux.overlay.notices import Drop, LineChanged, Notice, ParentLost, ParentReady, Refused
from flux.overlay.peers import CLAIM, GOODBYE, HELLO, MOVED, PROTOCOL, Hello, read, to_claims
from flux.overlay.router import SEEKING, Hop, Router
from flux.overlay.routes import Claim
from flux.wire.message import NORESPONSE, Control, Message, Request, Response

BROKER = "broker"
"""Where a notice goes: to our own broker."""

DRAINED = 3
"""Type of the control message by which a former parent says that nothing of ours is open with it any more, and by which
its former child then takes leave."""

Step = tuple[Hop | str, Message | Notice]


class Above:
    """The way up. What should go up while there is none waits for it."""

    def __init__(self, rank: int, uuid: str, router: Router, born: int, card: str) -> None:
        self.parent: Hop | None = None
        self.suitor: Hop | None = None
        """Whom we have said hello to, and who has not answered."""
        self.former: dict[Hop, bool] = {}
        """Parents that we have left, and whether they have nothing open with us any more."""
        self.line: list[Claim] = []
        """Who is above us: the parent first, rank 0 last."""
        self.card = card
        self._rank, self._uuid, self._router = rank, uuid, router
        self._epoch = born
        self._unsaid: list[Message] = []
        self._again: bool | None = None
        """If our suitor is a former parent: whether it had nothing open with us any more."""

    @property
    def own(self) -> Claim:
        """What we claim ourselves to be, with how to find us."""
        return Claim(self._rank, self._uuid, self._epoch, self.card)

    def knows(self, link: Hop) -> bool:
        """Whether that link leads up."""
        return link == self.parent or link == self.suitor or link in self.former

    # -- finding a parent -------------------------------------------------------------------------------------------

    def attach(self, link: Hop, last: int) -> list[Step]:
        """Says hello to a parent, having seen event `last`; the old one stays in use until the new one answers."""
        self.suitor = link
        self._again = self.former.pop(link, None)
        self._epoch += 1
        self._unsaid = [msg for msg in self._unsaid if getattr(msg, "topic", "") != CLAIM]  # the hello says it all
        claims = [self.own._replace(card=""), *self._router.routes.claims()]
        hello = Hello(self._rank, self._uuid, PROTOCOL, last, claims)
        return [(link, Request(topic=HELLO, data=hello.payload(), matchtag=self.tag))]

    @property
    def asked(self) -> tuple[Hop | None, int]:
        """Whom we have said hello to, and its matchtag: an answer to an earlier one may still come."""
        return self.suitor, self.tag

    @property
    def tag(self) -> int:
        """The matchtag of our last hello."""
        return self._epoch & 0xFFFFFFFF

    def welcome(self, msg: Response, via: Hop) -> list[Step]:
        """The answer to our hello is yes: from now on everything goes up there."""
        before, self.parent, self.suitor = self.parent, via, None
        self._again = None
        self.line = to_claims(read(msg, "line", list))
        self._router.pending.watch(via)
        self._router.parent = via
        if before is not None:
            self.former[before] = False
        steps: list[Step] = [(via, self._sent(via, msg)) for msg in self._waited()]
        return [*steps, (BROKER, ParentReady(via, before or b"")), (BROKER, LineChanged())]

    def _waited(self) -> list[Message]:
        """What has waited for a parent: no request whose sender is gone, or cannot be reached any more."""
        waited, self._unsaid = self._unsaid, []
        return [msg for msg in waited if not isinstance(msg, Request) or self._router.pending.wanted(SEEKING, msg)]

    def _sent(self, via: Hop, msg: Message) -> Message:
        return self._router.sent(via, msg) if isinstance(msg, Request) and msg.route else msg

    def refused(self, link: Hop, errnum: int, reason: str) -> list[Step]:
        """Whom we said hello to does not want us, or is gone."""
        self.suitor = None
        if self._again is not None:
            self.former[link], self._again = self._again, None
        return [(BROKER, Refused(link, errnum, reason)), *self.drain(link)]

    # -- going up ---------------------------------------------------------------------------------------------------

    def tell(self, msg: Message) -> list[Step]:
        """Sends something up; without a parent, and while a new one has not answered, it waits."""
        if self._rank == 0:
            return []
        if self.parent is None or (self.suitor is not None and getattr(msg, "topic", "") == CLAIM):
            self._unsaid.append(msg)
            return [] if self.parent is None else [(self.parent, msg)]
        return [(self.parent, msg)]

    def hold(self, steps: Iterable[Step]) -> list[Step]:
        """Takes out of some steps what has to wait for a parent."""
        kept = []
        for hop, msg in steps:
            if hop == SEEKING:
                assert isinstance(msg, Message)
                self._unsaid.append(msg)
            else:
                kept.append((hop, msg))
        return kept

    def lineage(self, line: list[Claim]) -> list[Step]:
        """The parent says who is above us."""
        self.line = line
        return [(BROKER, LineChanged())]

    # -- leaving ----------------------------------------------------------------------------------------------------

    def goodbye(self) -> list[Step]:
        """Takes leave of the parent, who answers."""
        if self.parent is None:
            return [(BROKER, ParentLost("left"))]
        return [(self.parent, Request(topic=GOODBYE, matchtag=2))]

    def depart(self, link: Hop) -> list[Step]:
        """Tells a parent that we have left that we did; the link stays until nothing is open over it."""
        if link not in self.former:
            return []
        return [(link, Request(flags=NORESPONSE, topic=MOVED)), *self.drain(link)]

    def drained(self, link: Hop) -> list[Step]:
        """A parent that we have left has nothing open with us any more."""
        if link == self.suitor and self._again is not None:
            self._again = True
        if link not in self.former:
            return []
        self.former[link] = True
        return self.drain(link)

    def drain(self, link: Hop) -> list[Step]:
        """Gives up the link to a parent that we have left once neither side has anything open."""
        if not self.former.get(link) or self._router.pending.count(link):
            return []
        del self.former[link]
        self._router.lost(link)
        return [(link, Control(type=DRAINED)), (BROKER, Drop(link))]

    def lost(self, link: Hop, reason: str, seek: bool = True) -> list[Step]:
        """The connection to somebody above is gone. Without a parent, what goes up waits from now on, if we `seek`."""
        if link == self.suitor:
            self._again = None
            return [*self._router.lost(link), *self.refused(link, ENOTCONN, reason)]
        if self.former.pop(link, None) is not None:
            return list(self._router.lost(link))
        self.parent, self.line = None, []
        steps: list[Step] = list(self._router.lost(link))
        self._router.parent = SEEKING if seek else None
        return [*steps, (BROKER, ParentLost(reason, link))]

    def forsake(self, link: Hop) -> list[Step]:
        """Waits no longer for somebody who does not answer our hello. A link that is still needed stays."""
        if link != self.suitor:
            return []
        drop: list[Step] = [] if self._again is not None else [(BROKER, Drop(link))]
        return [*drop, *self.refused(link, ENOTCONN, "no answer")]

    def too_late(self, link: Hop) -> list[Step]:
        """Somebody takes us in whom we do not wait for any more."""
        return [(link, Request(flags=NORESPONSE, topic=MOVED))] if link in self.former else []

    def give_up(self) -> list[Step]:
        """There will be no other parent: whoever waits for one is told so."""
        self._router.parent = None
        waited = [msg for msg in self._waited() if isinstance(msg, Request)]
        return [step for msg in waited for step in self._router.refuse(msg, EHOSTUNREACH)]

    def check(self, rank: int) -> None:
        """OSError(EINVAL) says why a rank cannot be our parent."""
        if rank == self._rank:
            raise OSError(EINVAL, f"rank {rank} cannot be its own parent")
        if self._router.routes.link(rank) is not None:
            raise OSError(EINVAL, f"rank {rank} is below rank {self._rank}")


__all__ = ["BROKER", "DRAINED", "Above", "Control", "Step"]
