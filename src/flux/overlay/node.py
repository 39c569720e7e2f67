"""One broker's place in the tree: routing, events and neighbours joined. Told what came in, it answers what to send."""

from flux.overlay.children import Children
from flux.overlay.events import EventLog, Gate
from flux.overlay.notices import EventsLost, Noise, Notice, ParentLost, ParentReady
from flux.overlay.peers import CLAIM, GOODBYE, HELLO, LOST_EVENTS, PROTOCOL, REPLAY, Hello, read, to_claims
from flux.overlay.router import Hop, Router
from flux.overlay.routes import Claim
from flux.wire.message import NORESPONSE, Control, Event, Message, Request, Response

SUBSCRIBERS, BELOW, BROKER = "subscribers", "below", "broker"
"""Where a step goes that is not for one neighbour: an event to who subscribed here, one to all children, a notice.
No address on the wire can be taken for one of these: addresses are bytes."""

DISCONNECT = 2
"""Type of the control message by which a parent sends a child away (RFC 3 leaves types to the overlay)."""

Step = tuple[Hop | str, Message | Notice]


class Node:
    """Everything that one broker decides about the tree."""

    def __init__(self, rank: int, uuid: str, size: int) -> None:
        self.rank, self.uuid, self.size = rank, uuid, size
        self.router = Router(rank)
        self.events = EventLog()
        self.children = Children(rank, size, self.router)
        self.parent: Hop | None = None
        """The parent we have said hello to; it may not have answered yet."""
        self.joined = False
        self.epoch = 0
        """How often we have attached to a parent."""
        self._newcomer = True
        """Whether no parent has taken us in yet: the events before that one's are none of ours."""
        self._gates: dict[Hop, Gate] = {}
        self._unsaid: list[Message] = []
        """What the parent is told once it has answered our hello."""
        self._asked = (-1, -1)

    # -- from this broker -------------------------------------------------------------------------------------------

    def send(self, msg: Message, via: Hop) -> list[Step]:
        """Takes a message from a service or a client of this broker."""
        if isinstance(msg, Request):
            return list(self.router.request(msg, via))
        if isinstance(msg, Response):
            return list(self.router.response(msg, via))
        if isinstance(msg, Event):
            return self._publish(msg)
        return []

    def attach(self, parent: Hop) -> list[Step]:
        """Says hello to a parent; ParentReady or ParentLost follows."""
        self.parent, self.joined, self._unsaid = parent, False, []
        self.epoch += 1
        self.router.pending.watch(parent)
        claims = [Claim(self.rank, self.uuid, self.epoch), *self.router.routes.claims()]
        hello = Hello(self.rank, self.uuid, PROTOCOL, self.events.last, claims)
        return [(parent, Request(topic=HELLO, data=hello.payload(), matchtag=1))]

    def leave(self) -> list[Step]:
        """Takes leave of the parent, who answers."""
        if self.parent is None or not self.joined:
            return [(BROKER, ParentLost("left"))]
        return [(self.parent, Request(topic=GOODBYE, matchtag=2))]

    def admit(self, yes: bool) -> list[Step]:
        """From now on takes children in, or sends them away; those that wait at the door come first."""
        steps: list[Step] = []
        for via, msg in self.children.admit(yes):
            steps += self._hello(msg, via)
        return steps

    def overdue(self) -> list[Step]:
        """Asks the parent for the events that something has waited for in vain."""
        known = self.events.last, self.events.newest
        if not self.waiting or not self.joined or self.parent is None or self._asked == known:
            return []
        self._asked = known
        return [(self.parent, Request(flags=NORESPONSE, topic=REPLAY, data={"last": self.events.last}))]

    @property
    def waiting(self) -> bool:
        """Whether a message or an event is held because an event is missing."""
        return self.events.gap or any(self._gates.values())

    # -- from a neighbour -------------------------------------------------------------------------------------------

    def receive(self, msg: Message, via: Hop, mark: int = 0) -> list[Step]:
        """Takes a message from a neighbour; `mark` is the last event that it had seen."""
        if isinstance(msg, Event):
            return self._event(msg, via)
        if mark > self.events.last or via in self._gates:
            return self._hold(msg, via, mark)
        return self._open(msg, via, mark)

    def lost(self, link: Hop, reason: str) -> list[Step]:
        """The connection to a neighbour is gone."""
        self._gates.pop(link, None)
        if link == self.parent:
            return self._parent_lost(reason)
        return self._withdraw(*self.children.lost(link, reason))

    # -- inside -----------------------------------------------------------------------------------------------------

    def _open(self, msg: Message, via: Hop, mark: int) -> list[Step]:
        """Takes a message whose events have all been seen."""
        if isinstance(msg, Control):
            return self._control(msg, via)
        if isinstance(msg, Request | Response) and not msg.route:
            return self._private(msg, via, mark)
        if via != self.parent and via not in self.children:
            stranger = Noise(f"message from a stranger: {getattr(msg, 'topic', '')}")
            return [(via, Control(type=DISCONNECT)), (BROKER, stranger)]
        if isinstance(msg, Request):
            return list(self.router.request(msg, via))
        assert isinstance(msg, Response)
        return list(self.router.response(msg, via))

    def _private(self, msg: Request | Response, via: Hop, mark: int) -> list[Step]:
        """What two neighbours say to each other has no route."""
        if via == self.parent:
            match msg:
                case Response(topic="overlay.hello"):
                    return self._welcome(msg, via)
                case Response(topic="overlay.goodbye"):
                    return self._parent_lost("left")
                case Request(topic="overlay.lost"):
                    return self._resume(read(msg, "last", int))
        elif via in self.children or msg.topic == HELLO:
            match msg:
                case Request(topic="overlay.hello"):
                    return self._hello(msg, via)
                case Request(topic="overlay.claim"):
                    return self._claimed(msg, via)
                case Request(topic="overlay.replay"):
                    return self._replay(read(msg, "last", int), via)
                case Request(topic="overlay.goodbye"):
                    steps: list[Step] = [(via, Response(topic=GOODBYE, matchtag=msg.matchtag))]
                    return steps + self._withdraw(*self.children.lost(via, "administrative shutdown"))
        return [(BROKER, Noise(f"unexpected {msg.topic} between brokers"))]

    def _control(self, msg: Control, via: Hop) -> list[Step]:
        if msg.type == DISCONNECT and via == self.parent:
            return self._parent_lost("the parent sent us away")
        return []

    # -- events -----------------------------------------------------------------------------------------------------

    def _publish(self, event: Event) -> list[Step]:
        if self.rank == 0:
            event = self.events.publish(event)
            return [(BELOW, event), (SUBSCRIBERS, event)]
        return self._tell_parent(event)

    def _event(self, event: Event, via: Hop) -> list[Step]:
        if event.sequence == 0:
            return self._publish(event) if via in self.children else []
        if via != self.parent:
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
        """What says from which event on we are served would wait for ever; what a stranger says is not kept."""
        topic = msg.topic if isinstance(msg, Request | Response) and not msg.route else ""
        if via == self.parent:
            return topic in (HELLO, LOST_EVENTS)
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
        """The parent's answer to our hello."""
        if msg.errnum:
            return self._parent_lost(msg.text() or "hello refused")
        last = read(msg, "last", int)
        self.joined, self.router.parent = True, via
        ready = self.events.resume(last) if self._newcomer else []
        self._newcomer = False
        steps: list[Step] = [*((via, msg) for msg in self._unsaid), (BROKER, ParentReady(via)), *self._deliver(ready)]
        if last > self.events.last:
            self._gates.setdefault(via, Gate()).hold(last, Control())
            steps += self.overdue()
        return steps

    def _hello(self, msg: Request, via: Hop) -> list[Step]:
        """A broker wants to be our child."""
        if self.children.admitting is None:
            self.children.wait(via, msg)
            return []
        refusal = self.children.objection(msg, via)
        if refusal is not None:
            return [(via, refusal)]
        steps = self.lost(via, "said hello again") if via in self.children else []
        hello = Hello.of(msg)
        news, joined = self.children.add(via, hello)
        welcome = {"rank": self.rank, "uuid": self.uuid, "last": self.events.last}
        steps.append((via, Response(topic=HELLO, data=welcome, matchtag=msg.matchtag)))
        return [*steps, (BROKER, joined), *self._claim_up(news, [])]

    def _claimed(self, msg: Request, via: Hop) -> list[Step]:
        """A child has gained or lost ranks below it."""
        claims, withdrawn = to_claims(read(msg, "claims", list)), to_claims(read(msg, "withdrawn", list))
        news, joined = self.children.claim(via, claims)
        steps: list[Step] = [(BROKER, joined)] if news else []
        gone = self.children.withdraw(via, withdrawn, read(msg, "reason", str))
        return steps + self._claim_up(news, []) + self._withdraw([], *gone)

    def _withdraw(self, steps: list[Step], gone: list[Claim], notice: Notice | None) -> list[Step]:
        if notice is not None:
            steps = [*steps, (BROKER, notice), *self._claim_up([], gone, getattr(notice, "reason", ""))]
        return steps

    def _claim_up(self, news: list[Claim], gone: list[Claim], reason: str = "") -> list[Step]:
        """Lets the parent know what changed below."""
        if not (news or gone):
            return []
        data = {"claims": news, "withdrawn": gone, "reason": reason}
        return self._tell_parent(Request(flags=NORESPONSE, topic=CLAIM, data=data))

    def _tell_parent(self, msg: Message) -> list[Step]:
        """Sends something up; as long as the parent has not answered our hello, it waits."""
        if self.parent is None:
            return []
        if not self.joined:
            self._unsaid.append(msg)
            return []
        return [(self.parent, msg)]

    def _parent_lost(self, reason: str) -> list[Step]:
        parent, self.parent, self.joined = self.parent, None, False
        if parent is None:
            return []
        self._gates.pop(parent, None)
        return [*self.router.lost(parent), (BROKER, ParentLost(reason))]


__all__ = ["BELOW", "BROKER", "SUBSCRIBERS", "Node", "Step"]
