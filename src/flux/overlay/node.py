"""One broker's place in the tree: routing, events and neighbours joined. Told what came in, it answers what to send."""

from errno import EAGAIN, ELOOP

from flux.overlay.above import BROKER, DRAINED, Above, Step
from flux.overlay.breaks import Break, Breaks
from flux.overlay.children import Children, gone
from flux.overlay.events import EventLog, Gate
from flux.overlay.notices import (
    Broken,
    Dismissed,
    Drop,
    EventsLost,
    Gone,
    Moved,
    Noise,
    ParentLost,
    RingLost,
    RingReady,
    RingWanted,
)
from flux.overlay.peers import (
    AWAY,
    BROKEN,
    CLAIM,
    CLIMB,
    GOODBYE,
    HELLO,
    LINE,
    LOST_EVENTS,
    MOVED,
    REPLAY,
    ROUND,
    Hello,
    read,
    to_claims,
)
from flux.overlay.router import LEEWARD, RINGWARD, SEEKING, Hop, Router
from flux.overlay.routes import Claim
from flux.wire.message import NORESPONSE, Control, Event, Message, Request, Response, refuse, respond

SUBSCRIBERS, BELOW = "subscribers", "below"
"""Where a step goes that is not for one neighbour: an event to who subscribed here, one to all children; BROKER gets
notices. No address on the wire can be taken for one of these: addresses are bytes."""

HEARTBEAT, DISCONNECT = 0, 2
"""Types of control messages (RFC 3 leaves them to the overlay): one that only says that its sender lives, and the one
by which a parent sends a child away. DRAINED is the third."""

AGAIN = "said hello again"
"""Why a child is lost that is there: its connection was gone, and is there again."""

CLIMBER: Hop = b"!"
"""With a child's link behind, who is answered when it is known whether that one is above us."""

IN_ORDER = "administrative shutdown"
"""Why a child that has said goodbye is gone."""

SENT_AWAY, FOR_GOOD, REPLACED = "the parent sent us away", "disconnected by its parent", "another broker has its rank"
"""Why somebody has lost its parent: who may say hello to it again, and who shall not look for any. Their numbers travel
in DISCONNECT."""
WHY_SENT_AWAY = (SENT_AWAY, FOR_GOOD, REPLACED)


class Node:
    """Everything that one broker decides about the tree.

    `born` grows from one broker of this rank to the next: whoever comes later is believed. `card` says how to find it.
    """

    def __init__(self, rank: int, uuid: str, size: int, born: int = 0, card: str = "") -> None:
        self.rank, self.uuid, self.size = rank, uuid, size
        self.router = Router(rank, uuid, size)
        self.router.ring = RINGWARD if size > 1 else None
        self.events = EventLog()
        self.above = Above(rank, uuid, self.router, born, card)
        self.children = Children(rank, size, self.router)
        self._newcomer = True
        """Whether no parent has taken us in yet: the events before that one's are none of ours."""
        self._gates: dict[Hop, Gate] = {}
        self._breaks = Breaks()
        self._climbers: dict[Hop, Request] = {}
        """Hellos of brokers of whom we ask whether they are above us."""
        self._ringward: list[Request] = []
        """What goes round the ring once the next broker on it is connected."""
        self._asked = (-1, -1)

    @property
    def parent(self) -> Hop | None:
        """The link to the parent, who has taken us in."""
        return self.above.parent

    @property
    def joined(self) -> bool:
        """Whether there is a parent."""
        return self.above.parent is not None

    # -- from this broker -------------------------------------------------------------------------------------------

    def send(self, msg: Message, via: Hop) -> list[Step]:
        """Takes a message from a service or a client of this broker."""
        if isinstance(msg, Request):
            return self._forward(self.router.request(msg, via))
        if isinstance(msg, Response):
            return self._back(msg, via)
        if isinstance(msg, Event):
            return self._publish(msg)
        return []

    def attach(self, parent: Hop) -> list[Step]:
        """Says hello to a parent; ParentReady or Refused follows. The present one, if any, is left by `depart`."""
        return self.above.attach(parent, self.events.last)

    def depart(self, former: Hop) -> list[Step]:
        """Takes leave of a parent that another one has replaced."""
        return self.above.depart(former)

    def leave(self) -> list[Step]:
        """Takes leave of the parent, who answers."""
        return self.above.goodbye()

    def give_up(self) -> list[Step]:
        """Nobody becomes our parent any more."""
        return self.above.give_up()

    def admit(self, yes: bool) -> list[Step]:
        """From now on takes children in, or sends them away; those at the door come first, once there is a parent."""
        steps: list[Step] = []
        for via, msg in self.children.admit(yes):
            steps += self._hello(msg, via)
        return steps

    def dismiss(self, child: Hop, reason: str, *, for_good: bool = False) -> list[Step]:
        """Sends a child away, which counts as lost from now on. It looks for another parent, unless it is for good."""
        return self._send_away(child, reason, FOR_GOOD if for_good else SENT_AWAY)

    def _send_away(self, child: Hop, reason: str, told: str) -> list[Step]:
        farewell = Control(type=DISCONNECT, status=WHY_SENT_AWAY.index(told))
        steps: list[Step] = [(child, farewell), *self.lost(child, reason)]
        self.children.dismissed.add(child)
        return steps

    def part(self) -> list[Step]:
        """Asks the children to look for another parent, because we are about to leave."""
        return [(child, Request(flags=NORESPONSE, topic=AWAY)) for child in self.children]

    def forsake(self, link: Hop) -> list[Step]:
        """Waits no longer for somebody who does not answer our hello."""
        return self.above.forsake(link)

    def overdue(self) -> list[Step]:
        """Asks the parent for the events that something has waited for in vain."""
        known = self.events.last, self.events.newest
        if not self.waiting or self.parent is None or self._asked == known:
            return []
        self._asked = known
        return [(self.parent, Request(flags=NORESPONSE, topic=REPLAY, data={"last": self.events.last}))]

    @property
    def waiting(self) -> bool:
        """Whether a message or an event is held because an event is missing."""
        return self.events.gap or any(self._gates.values())

    def neighbours(self) -> list[Hop]:
        """The links on the tree that are in use."""
        return [*([self.parent] if self.parent is not None else []), *self.children]

    # -- from a neighbour -------------------------------------------------------------------------------------------

    def receive(self, msg: Message, via: Hop, mark: int = 0) -> list[Step]:
        """Takes a message from a neighbour; `mark` is the last event that it had seen."""
        if isinstance(msg, Event):
            return self._event(msg, via)
        if via[:1] in (RINGWARD, LEEWARD):
            return self._from_ring(msg, via)
        if mark > self.events.last or via in self._gates:
            return self._hold(msg, via, mark)
        return self._open(msg, via, mark)

    def lost(self, link: Hop, reason: str) -> list[Step]:
        """The connection to a neighbour is gone."""
        self._gates.pop(link, None)
        self._climbers.pop(link, None)
        if link[:1] in (RINGWARD, LEEWARD):
            return self._ring_lost(link, reason)
        if self.above.knows(link):
            return self._parent_lost(link, reason)
        return self._child_lost(link, reason)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _open(self, msg: Message, via: Hop, mark: int) -> list[Step]:
        """Takes a message whose events have all been seen."""
        if isinstance(msg, Control):
            return self._control(msg, via)
        if isinstance(msg, Request | Response) and not msg.route:
            return self._private(msg, via, mark)
        if via in self.children.dismissed:
            return []  # it will hear of that, and say hello again
        if not self._is_neighbour(via):
            stranger = Noise(f"message from a stranger: {getattr(msg, 'topic', '')}")
            return [(via, Control(type=DISCONNECT)), (BROKER, stranger)]
        if isinstance(msg, Request) and msg.topic == CLIMB:
            return self._climb(msg, via)
        if isinstance(msg, Request):
            return self._forward(self.router.request(msg, via))
        assert isinstance(msg, Response)
        return self._back(msg, via)

    def _is_neighbour(self, via: Hop) -> bool:
        return self.above.knows(via) or via in self.children or via in self.children.former

    def _forward(self, routed: "list[tuple[Hop, Request | Response]]") -> list[Step]:
        """What the router wants sent: what has to wait for a parent, or for the ring, is kept."""
        if len(routed) == 1 and routed[0][0] not in (SEEKING, RINGWARD):
            return list(routed)
        steps: list[Step] = []
        for hop, msg in self.above.hold(routed):
            if hop == RINGWARD:
                assert isinstance(msg, Request)
                self._ringward.append(msg)
                steps.append((BROKER, RingWanted()))
            else:
                steps.append((hop, msg))
        return steps

    def _back(self, msg: Response, via: Hop) -> list[Step]:
        """A response on its way; it may have been the last thing open with a former neighbour."""
        steps: list[Step] = list(self.router.response(msg, via))
        if steps and isinstance(steps[0][0], bytes) and steps[0][0][:1] == CLIMBER:
            steps = self._climbed(msg, steps[0][0][1:])
        if via in self.above.former:
            return steps + self.above.drain(via)
        if via in self.children.former:
            return steps + self._drain(via)
        return steps

    def _drain(self, child: Hop) -> list[Step]:
        """Tells a child that has left once nothing of ours is open with it."""
        return [] if self.router.pending.count(child) else [(child, Control(type=DRAINED))]

    def _private(self, msg: Request | Response, via: Hop, mark: int) -> list[Step]:
        """What two neighbours say to each other has no route."""
        if isinstance(msg, Request) and msg.topic == HELLO:
            return self._hello(msg, via)
        if isinstance(msg, Request) and msg.topic == BROKEN and self._is_neighbour(via):
            return self._heard_broken(msg, via)
        if via in (self.above.parent, self.above.suitor):
            match msg:
                case Response(topic="overlay.hello"):
                    return self._welcome(msg, via) if (via, msg.matchtag) == self.above.asked else []
                case Response(topic="overlay.goodbye"):
                    return self.above.lost(via, "left", seek=False)
                case Request(topic="overlay.lost"):
                    return self._resume(read(msg, "last", int))
                case Request(topic="overlay.away"):
                    return [(BROKER, Dismissed(via))]
                case Request(topic="overlay.line"):
                    return self._lineage(self.above.lineage(to_claims(read(msg, "line", list))))
        elif via in self.children:
            match msg:
                case Request(topic="overlay.claim"):
                    return self._claimed(msg, via)
                case Request(topic="overlay.replay"):
                    return self._replay(read(msg, "last", int), via)
                case Request(topic="overlay.moved"):
                    return self._moved(via)
                case Request(topic="overlay.goodbye"):
                    steps: list[Step] = [(via, Response(topic=GOODBYE, matchtag=msg.matchtag))]
                    return steps + self._child_lost(via, IN_ORDER)
        elif via in self.above.former and msg.topic == HELLO:
            return self.above.too_late(via)
        elif via in self.above.former or self.children.knew(via):
            return []  # said before it heard that we have parted
        return [(BROKER, Noise(f"unexpected {msg.topic} between brokers"))]

    def _control(self, msg: Control, via: Hop) -> list[Step]:
        if msg.type == DISCONNECT and self.above.knows(via):
            reason = WHY_SENT_AWAY[msg.status] if 0 <= msg.status < len(WHY_SENT_AWAY) else SENT_AWAY
            return [(BROKER, Drop(via)), *self._parent_lost(via, reason, seek=reason == SENT_AWAY)]
        if msg.type == DRAINED and self.children.parted(via):
            return list(self.router.lost(via))
        if msg.type == DRAINED:
            return self.above.drained(via)
        return []

    # -- events -----------------------------------------------------------------------------------------------------

    def _publish(self, event: Event) -> list[Step]:
        if self.rank == 0:
            event = self.events.publish(event)
            return [(BELOW, event), (SUBSCRIBERS, event)]
        return self.above.tell(event)

    def _event(self, event: Event, via: Hop) -> list[Step]:
        if event.sequence == 0:
            return self._publish(event) if via in self.children else []
        if not self.above.knows(via):
            return []
        return self._deliver(self.events.receive(event))

    def _deliver(self, ready: list[Event]) -> list[Step]:
        steps: list[Step] = []
        for event in ready:
            steps += [(BELOW, event), (SUBSCRIBERS, event)]
        if ready and self._gates:
            steps += self._release()
        return steps

    def _hold(self, msg: Message, via: Hop, mark: int) -> list[Step]:
        """Keeps a message until its events came."""
        if self._cannot_wait(msg, via):
            return self._open(msg, via, mark)
        self._gates.setdefault(via, Gate()).hold(mark, msg)
        return []

    def _cannot_wait(self, msg: Message, via: Hop) -> bool:
        """What says from which event on we are served, or that we are not, would wait for ever.

        What a stranger says is not kept.
        """
        topic = msg.topic if isinstance(msg, Request | Response) and not msg.route else ""
        if self.above.knows(via):
            sent_away = isinstance(msg, Control) and msg.type == DISCONNECT  # nobody there gives us events any more
            return sent_away or topic in (HELLO, LOST_EVENTS)
        return via not in self.children and via not in self._gates and topic != HELLO

    def _release(self) -> list[Step]:
        steps: list[Step] = []
        for via, gate in list(self._gates.items()):
            for mark, msg in gate.release(self.events.last):
                steps += self._open(msg, via, mark)
            if not gate:
                self._gates.pop(via, None)
        return steps

    def _replay(self, last: int, child: Hop) -> list[Step]:
        """Sends a child the events after number `last`; tells it which of them are out of reach."""
        gone = self.events.out_of_reach
        lost = Request(flags=NORESPONSE, topic=LOST_EVENTS, data={"last": gone})
        steps: list[Step] = [(child, lost)] if last < gone else []
        return [*steps, *((child, event) for event in self.events.since(last))]

    def _resume(self, last: int) -> list[Step]:
        """Events up to `last` are lost for us, and so for everybody below."""
        if last <= self.events.last:
            return []
        ready = self.events.resume(last)
        told = Request(flags=NORESPONSE, topic=LOST_EVENTS, data={"last": last})
        steps: list[Step] = [(BROKER, EventsLost(last))]
        steps += [(child, told) for child in self.children]
        return steps + self._deliver(ready) + self._release()

    # -- neighbours -------------------------------------------------------------------------------------------------

    def _welcome(self, msg: Response, via: Hop) -> list[Step]:
        """The answer to our hello."""
        if msg.errnum:
            return self.above.refused(via, msg.errnum, msg.text() or "hello refused")
        last = read(msg, "last", int)
        steps = self._lineage(self.above.welcome(msg, via))
        ready = self.events.resume(last) if self._newcomer else []
        self._newcomer = False
        steps += self._deliver(ready)
        if last > self.events.last:
            self._gates.setdefault(via, Gate()).hold(last, Control())
            self._asked = (-1, -1)
            steps += self.overdue()
        return steps if self.children.admitting is None else steps + self.admit(self.children.admitting)

    def _lineage(self, steps: list[Step]) -> list[Step]:
        """The children are told who is above them now."""
        told = Request(flags=NORESPONSE, topic=LINE, data={"line": self.lineage})
        return [*steps, *((child, told) for child in self.children)]

    @property
    def lineage(self) -> list[Claim]:
        """Who is above our children: we first."""
        return [self.above.own, *self.above.line]

    def _hello(self, msg: Request, via: Hop) -> list[Step]:
        """A broker wants to be our child. Whoever brings others may have us among them before long: that is asked."""
        if self.children.admitting is None or (self._newcomer and self.rank):
            self.children.wait(via, msg)
            return []
        refusal = self._objection(msg, via)
        if refusal is not None:
            return [(via, refusal)]
        self._climbers.pop(via, None)
        if self.above.parent is not None and len(read(msg, "claims", list)) > 1:
            self._climbers[via] = msg
            rank = read(msg, "rank", int)
            return self._climb(Request(topic=CLIMB, data={"rank": rank}, matchtag=msg.matchtag), CLIMBER + via)
        return self._take_in(msg, via)

    def _objection(self, msg: Request, via: Hop) -> Response | None:
        line = {claim.rank for claim in self.above.line}
        return self.children.objection(msg, via, line, self.rank == 0 or self._at_rest)

    @property
    def _at_rest(self) -> bool:
        """Whether our parent is settled."""
        return self.joined and self.above.suitor is None

    def _climb(self, msg: Request, via: Hop) -> list[Step]:
        """Goes up to rank 0, past nobody who is looking for a parent, to see whether a broker is above its own suitor.

        So of several that move at once, and would make a loop together, one is refused.
        """
        if self.rank == 0:
            return [(via, respond(msg))]
        if read(msg, "rank", int) == self.rank or len(msg.route) > self.router.most_hops:
            return [(via, refuse(msg, ELOOP, f"rank {self.rank} is above whom it wants as its parent"))]
        if not self._at_rest or self.above.parent is None:
            return [(via, refuse(msg, EAGAIN, f"rank {self.rank} is looking for a parent"))]
        msg.route = (via, *msg.route)
        self.router.pending.sent(self.above.parent, msg)
        return [(self.above.parent, msg)]

    def _climbed(self, answer: Response, child: Hop) -> list[Step]:
        """It is known whether a broker may become our child."""
        hello = self._climbers.pop(child, None)
        if hello is None or hello.matchtag != answer.matchtag:
            return []
        if answer.errnum:
            errnum = ELOOP if answer.errnum == ELOOP else EAGAIN
            return [(child, refuse(hello, errnum, answer.text() or "the way up is broken"))]
        refusal = self._objection(hello, child)
        return self._take_in(hello, child) if refusal is None else [(child, refusal)]

    def _take_in(self, msg: Request, via: Hop) -> list[Step]:
        """Makes a broker our child."""
        hello = Hello.of(msg)
        steps = self.lost(via, AGAIN) if via in self.children else []
        steps += self._replaced(hello.claims)
        before = self.children.link(hello.rank)
        if before is not None:  # it began later, by its clock: it may come back, and is believed then
            steps += self.lost(before, REPLACED)
        news, joined = self.children.add(via, hello)
        welcome = {"rank": self.rank, "uuid": self.uuid, "last": self.events.last, "line": self.lineage}
        steps.append((via, Response(topic=HELLO, data=welcome, matchtag=msg.matchtag)))
        return [*steps, (BROKER, joined), *self._claim_up(news, [])]

    def _claimed(self, msg: Request, via: Hop) -> list[Step]:
        """A child has gained or lost ranks below it."""
        claims, withdrawn = self._others(msg, "claims"), self._others(msg, "withdrawn")
        steps = self._replaced(claims)
        news, joined = self.children.claim(via, claims)
        if news:
            steps.append((BROKER, joined))
        reason = read(msg, "reason", str)
        change = self.children.withdraw(via, withdrawn)
        if change.gone and reason != MOVED:
            steps.append((BROKER, gone(change.gone, reason)))
        return steps + self._claim_up(news + change.news, change.gone, reason)

    def _others(self, msg: Request, key: str) -> list[Claim]:
        """Claims, without those that say that we are below ourselves: somebody above has moved, and not all know it."""
        return [claim for claim in to_claims(read(msg, key, list)) if claim.rank != self.rank]

    def _replaced(self, claims: list[Claim]) -> list[Step]:
        """A later broker of the same rank: the one before it is gone, even if nobody has noticed.

        If it is not, and a child of ours, it is told, lest the two take the rank from each other for ever.
        """
        routes = self.router.routes
        known = [(claim, routes.get(claim.rank)) for claim in claims]
        gone = [old for new, old in known if old is not None and old.uuid != new.uuid and old.epoch < new.epoch]
        ours = {old: old.uuid.encode() for old in gone if old.uuid.encode() in self.children}
        steps = [step for link in ours.values() for step in self._send_away(link, REPLACED, REPLACED)]
        others = tuple(old.rank for old in gone if old not in ours)
        return [*steps, (BROKER, Gone(others, (), REPLACED))] if others else steps

    def _moved(self, child: Hop) -> list[Step]:
        """A child has another parent; what is open with it may still be answered."""
        change = self.children.moved(child)
        steps: list[Step] = [(BROKER, Moved(child)), *self._claim_up(change.news, change.gone, MOVED)]
        return steps + self._drain(child)

    def _child_lost(self, link: Hop, reason: str) -> list[Step]:
        refusals, change, notice = self.children.lost(link, reason)
        if notice is None:
            return []
        steps: list[Step] = [*refusals, (BROKER, notice), *self._claim_up(change.news, change.gone, reason)]
        return steps if reason == IN_ORDER else steps + self._broken(link)

    def _parent_lost(self, link: Hop, reason: str, *, seek: bool = True) -> list[Step]:
        heard = link != self.above.suitor
        steps = [step for step in self.above.lost(link, reason, seek) if step[0][:1] != CLIMBER]
        if not self.joined:
            waiting, self._climbers = self._climbers, {}
            steps += [(child, refuse(hello, EAGAIN, "the way up is broken")) for child, hello in waiting.items()]
        return steps + self._broken(link) if heard else steps

    def _broken(self, link: Hop) -> list[Step]:
        """A connection of ours is gone: all are told, by the ways that requests took over it, and so stop serving."""
        return self._tell_broken(Break(f"{self.uuid}/{self._breaks.number()}", "", link.decode()), link)

    def _tell_broken(self, known: Break, told_by: Hop) -> list[Step]:
        self._breaks.add(known.name)
        msg = Request(flags=NORESPONSE, topic=BROKEN, data=known._asdict())
        links = [*self.children, *self.children.former, *self.above.former]
        steps: list[Step] = [(link, msg) for link in links if link != told_by]
        return steps if self.above.parent == told_by else steps + self.above.tell(msg)

    def _heard_broken(self, msg: Request, via: Hop) -> list[Step]:
        name, near, far = read(msg, "name", str), read(msg, "near", str) or via.decode(), read(msg, "far", str)
        if name in self._breaks:
            return []
        self.router.pending.forget_way(near.encode(), far.encode())
        steps: list[Step] = [(BROKER, Broken(near.encode(), far.encode()))]
        return [*steps, *self._tell_broken(Break(name, near, far), via), *self._drain_all()]

    def _drain_all(self) -> list[Step]:
        """Some answers are not waited for any more: that may have been all that was open with a former neighbour."""
        steps = [step for link in list(self.above.former) for step in self.above.drain(link)]
        return steps + [step for link in list(self.children.former) for step in self._drain(link)]

    def _claim_up(self, news: list[Claim], gone: list[Claim], reason: str = "") -> list[Step]:
        """Lets the parent know what changed below."""
        if not (news or gone):
            return []
        data = {"claims": news, "withdrawn": gone, "reason": reason}
        return self.above.tell(Request(flags=NORESPONSE, topic=CLAIM, data=data))

    # -- the ring ---------------------------------------------------------------------------------------------------

    def ring_ask(self, link: Hop) -> list[Step]:
        """Asks a broker to become the next one on our ring."""
        return [(link, Request(topic=ROUND, data={"rank": self.rank, "uuid": self.uuid}, matchtag=1))]

    def ring_closed(self, link: Hop | None) -> list[Step]:
        """The next broker on the ring has answered; None: there is no other. What has waited goes there."""
        waited, self._ringward = self._ringward, []
        waited = [msg for msg in waited if self.router.pending.wanted(RINGWARD, msg)]
        if link is None:
            return [step for msg in waited for step in self.router.refuse(msg)]
        self.router.ring = link
        self.router.pending.watch(link)
        return [*((link, self.router.sent(link, msg)) for msg in waited), (BROKER, RingReady(link))]

    def ring_open(self) -> list[Step]:
        """The next broker on the ring is not to be used any more; another one is looked for when it is needed."""
        link, self.router.ring = self.router.ring, RINGWARD
        return list(self.router.lost(link)) if link not in (None, RINGWARD) else []

    def _from_ring(self, msg: Message, via: Hop) -> list[Step]:
        """What goes round: no order with events, no claims, but the same ways back."""
        match msg:
            case Request(topic="overlay.round", route=()):
                self.router.pending.watch(via)
                return [(via, respond(msg, {"rank": self.rank, "uuid": self.uuid}))]
            case Response(topic="overlay.round", route=()):
                return self.ring_closed(via) if self.router.ring == RINGWARD else []
            case Request() if msg.route:
                return self._forward(self.router.request(msg, via))
            case Response() if msg.route:
                return list(self.router.response(msg, via))
        return []

    def _ring_lost(self, link: Hop, reason: str) -> list[Step]:
        steps: list[Step] = list(self.router.lost(link))
        if link[:1] == LEEWARD:
            return steps
        if link == self.router.ring:
            self.router.ring = RINGWARD
        return [*steps, (BROKER, RingLost(link, reason))]


__all__ = ["BELOW", "BROKER", "SUBSCRIBERS", "Node", "ParentLost", "Step"]
