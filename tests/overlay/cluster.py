"""Nodes joined by wires in memory, without brokers, loops or time: a whole session as a readable script."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from flux.overlay.node import BELOW, BROKER, SUBSCRIBERS, Node, Step
from flux.overlay.notices import Drop, Gone, LineChanged, Notice, ParentLost, ParentReady, Refused
from flux.overlay.router import UPWARD
from flux.overlay.topology import Kary
from flux.wire.message import ANY, Event, Message, Request, Response, respond

Wire = tuple[bytes, bytes, str, bytes]
"""From, to, which overlay ("tree" or "event"), and which of the two is the child."""


def uuid(rank: int) -> str:
    """The uuid of a rank, readable in a failure."""
    return f"broker-{rank}"


class Cluster:
    """`size` nodes. What they send waits on wires until `run`; `random` picks which wire moves next."""

    def __init__(self, size: int, k: int = 2, seed: int | None = None) -> None:
        self.size, self.tree = size, Kary(k, size)
        self.nodes = {rank: Node(rank, uuid(rank), size) for rank in range(size)}
        self.ranks = {uuid(rank).encode(): rank for rank in range(size)}
        self.wires: dict[Wire, deque[tuple[Message, int]]] = {}
        self.notices: dict[int, list[Notice]] = {rank: [] for rank in range(size)}
        self.heard: dict[int, list[str]] = {rank: [] for rank in range(size)}
        """The topics of the events that each rank's subscribers got."""
        self.trace: dict[int, list[str]] = {rank: [] for rank in range(size)}
        """The topics of all that reached somebody on that rank, in order."""
        self.inbox: dict[int, list[Request | Response]] = {rank: [] for rank in range(size)}
        self.loses: Callable[[Event, int], bool] = lambda event, rank: False
        """Whether an event gets lost on its way to a rank."""
        self.random = Random(seed or 0)
        self._shuffled = seed is not None
        self.heals = False
        """Whether those who lose their parent look for another."""
        self.left: list[tuple[int, bytes]] = []
        """Who has left which parent without telling it so."""
        self.retries: list[int] = []

    def __getitem__(self, rank: int) -> Node:
        return self.nodes[rank]

    def wired(self, *ranks: int) -> "Cluster":
        """Attaches everybody (or those named) to their parents in the tree, and lets it settle."""
        for node in self.nodes.values():
            self.do(node.rank, node.admit(True))
        for rank in ranks or range(1, self.size):
            self.attach(rank, self.tree.parent(rank) or 0)
        return self.run()

    def attach(self, rank: int, parent: int) -> None:
        """Connects a rank to a parent and says hello."""
        ours, theirs = uuid(rank).encode(), uuid(parent).encode()
        for wire in ((ours, theirs, "tree", ours), (theirs, ours, "tree", ours), (theirs, ours, "event", ours)):
            self.wires.setdefault(wire, deque())
        self.do(rank, self[rank].attach(UPWARD + theirs))

    def cut(self, one: int, other: int) -> None:
        """The connection between two neighbours breaks: what is on it is lost, both notice."""
        for child, parent in ((one, other), (other, one)):
            self.part(child, UPWARD + uuid(parent).encode(), tell_both=True)

    def kill(self, rank: int) -> None:
        """A broker is gone; its neighbours notice."""
        gone = uuid(rank).encode()
        del self.nodes[rank]
        for neighbour in {end for wire in self.wires if gone in wire[:2] for end in wire[:2]} - {gone}:
            self.cut(self.ranks[neighbour], rank)

    # -- what somebody on a rank does -------------------------------------------------------------------------------

    def serve(self, rank: int, name: str) -> None:
        """Somebody on that rank takes a service name."""
        assert self[rank].router.register(name, b"service")

    def ask(self, rank: int, topic: str, *, tag: int = 1, nodeid: int = ANY, flags: int = 0, by: bytes = b"me") -> None:
        """Somebody on that rank sends a request."""
        request = Request(topic=topic, nodeid=nodeid, matchtag=tag, flags=flags)
        self.do(rank, self[rank].send(request, by))

    def answer(self, rank: int, data: dict[str, Any] | None = None) -> None:
        """The service on that rank answers all that it was asked."""
        asked, self.inbox[rank] = self.inbox[rank], []
        for request in asked:
            if isinstance(request, Request):
                self.do(rank, self[rank].send(respond(request, data), b"service"))
            else:
                self.inbox[rank].append(request)

    def publish(self, rank: int, topic: str) -> None:
        """Somebody on that rank publishes an event."""
        self.do(rank, self[rank].send(Event(topic=topic), b"me"))

    def answers(self, rank: int) -> list[tuple[str, int]]:
        """The topic and error number of each answer that came to that rank; they are taken out."""
        came = [msg for msg in self.inbox[rank] if isinstance(msg, Response)]
        self.inbox[rank] = [msg for msg in self.inbox[rank] if isinstance(msg, Request)]
        return [(msg.topic, msg.errnum) for msg in came]

    # -- what moves -------------------------------------------------------------------------------------------------

    def run(self) -> "Cluster":
        """Moves messages until all is quiet, even where somebody waits for a lost event (who then asks for it)."""
        while self.step() or self.overdue() or self.retry():
            pass
        return self

    def step(self) -> bool:
        """Moves one message; False if there is none."""
        ready = [wire for wire, queue in self.wires.items() if queue]
        if not ready:
            return False
        wire = self.random.choice(ready) if self._shuffled else ready[0]
        msg, mark = self.wires[wire].popleft()
        rank = self.ranks[wire[1]]
        via = wire[0] if wire[3] == wire[0] else UPWARD + wire[0]
        self.do(rank, self[rank].receive(msg, via, mark))
        return True

    def retry(self) -> bool:
        """Lets those who were refused ask again."""
        ranks, self.retries = self.retries, []
        for rank in ranks:
            self.orphaned(rank)
        return bool(ranks)

    def overdue(self) -> bool:
        """Lets those ask who have waited long enough; False if nobody does."""
        asking = [(rank, node.overdue()) for rank, node in self.nodes.items()]
        for rank, steps in asking:
            self.do(rank, steps)
        return any(steps for _, steps in asking)

    def do(self, rank: int, steps: list[Step]) -> None:
        """Does what a node decided, as its broker would."""
        own = uuid(rank).encode()
        for hop, out in steps:
            if hop == SUBSCRIBERS:
                assert isinstance(out, Event)
                self.heard[rank].append(out.topic)
                self.trace[rank].append(out.topic)
            elif hop == BELOW:
                assert isinstance(out, Event)
                self._broadcast(own, out)
            elif hop == BROKER:
                assert not isinstance(out, Message)
                self.notice(rank, out)
            else:
                assert isinstance(hop, bytes) and isinstance(out, Message)
                self._send(rank, hop, out)

    def notice(self, rank: int, notice: Notice) -> None:
        """A broker hears of something. Here who has lost its parent looks for no other."""
        if not isinstance(notice, LineChanged):
            self.notices[rank].append(notice)
        if isinstance(notice, ParentLost):
            self.orphaned(rank)
        elif isinstance(notice, Refused) and self.heals and self[rank].parent is None:
            self.retries.append(rank)
        elif isinstance(notice, ParentReady) and notice.before:
            self.left.append((rank, notice.before))
        elif isinstance(notice, Drop):
            self.last_words(rank, notice.link)
            self.part(rank, notice.link)

    def orphaned(self, rank: int) -> None:
        """Who has lost its parent gives up, or goes to the next ancestor that lives."""
        if not self.heals:
            self.do(rank, self[rank].give_up())
        elif rank in self.nodes:
            self.attach(rank, self.refuge(rank))

    def refuge(self, rank: int) -> int:
        """The next ancestor in the first tree that lives; rank 0 does."""
        above = self.tree.parent(rank) or 0
        while above not in self.nodes:
            above = self.tree.parent(above) or 0
        return above

    def last_words(self, rank: int, link: bytes) -> None:
        """What was sent before a link is given up arrives."""
        own, theirs = uuid(rank).encode(), link.lstrip(UPWARD)
        wire = self.wires.get((own, theirs, "tree", own if link[:1] == UPWARD else theirs), deque())
        while wire and self.ranks[theirs] in self.nodes:
            msg, mark = wire.popleft()
            self.do(
                self.ranks[theirs],
                self[self.ranks[theirs]].receive(msg, own if link[:1] == UPWARD else UPWARD + own, mark),
            )

    def part(self, rank: int, link: bytes, *, tell_both: bool = False) -> None:
        """The end of a link: what is on it is lost, and the other end notices."""
        own, theirs = uuid(rank).encode(), link.lstrip(UPWARD)
        child = own if link[:1] == UPWARD else theirs
        wires = [wire for wire in self.wires if {wire[0], wire[1]} == {own, theirs} and wire[3] == child]
        for wire in wires:
            del self.wires[wire]
        there = own if child == own else UPWARD + own
        if wires and tell_both and rank in self.nodes:
            self.do(rank, self[rank].lost(link, "connection lost"))
        if wires and self.ranks[theirs] in self.nodes:
            self.do(self.ranks[theirs], self[self.ranks[theirs]].lost(there, "connection lost"))

    def depart(self) -> None:
        """Those who have a new parent, and whose claims have reached rank 0, take leave of the old one."""
        while self.left:
            rank, former = self.left.pop()
            if rank in self.nodes:
                self.do(rank, self[rank].depart(former))

    def _send(self, rank: int, hop: bytes, msg: Message) -> None:
        own, to = uuid(rank).encode(), hop.lstrip(UPWARD)
        wire = (own, to, "tree", to if hop == to else own)
        if wire in self.wires:
            self.wires[wire].append((msg, self[rank].events.last))
        elif to not in self.ranks:
            assert isinstance(msg, Request | Response)
            self.inbox[rank].append(msg)
            self.trace[rank].append(msg.topic)

    def _broadcast(self, own: bytes, event: Event) -> None:
        for (source, to, kind, _), queue in self.wires.items():
            if source == own and kind == "event" and not self.loses(event, self.ranks[to]):
                copy = Event(event.userid, event.rolemask, event.flags, event.topic, event.data, event.sequence)
                queue.append((copy, 0))

    def gone(self, rank: int) -> list[int]:
        """The ranks that this rank's broker was told are gone."""
        return sorted(lost for notice in self.notices[rank] if isinstance(notice, Gone) for lost in notice.ranks)
