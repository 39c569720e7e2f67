"""Where a message goes next. Pure: told (message, from where), it answers [(where, message)]; it sends nothing."""

from errno import EHOSTUNREACH, ENOSYS

from flux.overlay.pending import Pending
from flux.overlay.routes import Routes
from flux.wire.message import ANY, RING, UPSTREAM, Request, Response, refuse

Hop = bytes
"""The address of a neighbour: a broker on the tree, a service or a client of this broker."""

SEEKING: Hop = b"?"
"""In place of a parent while a broker that has lost its own looks for another: what goes there has to wait."""

UPWARD: Hop = b"^"
"""With its uuid behind, a broker that we have connected to as a child; a child's address is its uuid alone. Two brokers
that change places may be both to each other for a while."""

RINGWARD: Hop = b">"
"""In place of the next broker on the ring while nobody has connected to it; with its uuid behind, that broker."""

LEEWARD: Hop = b"~"
"""With its uuid behind, the broker that comes before us on the ring."""

SIGNS = UPWARD + RINGWARD + LEEWARD

MAX_HOPS, MAX_DEPTH = 128, 1024
"""Brokers a request may pass before it counts as lost, besides those that a chain of all has, up to so many: routes
that are just changing could send it to and fro."""


def most_hops(size: int) -> int:
    """How many brokers a request of a session of `size` may pass."""
    return MAX_HOPS + 2 * min(size, MAX_DEPTH)


class Router:
    """The routing rules of one broker (RFC 3), over services, learned routes and pending requests."""

    def __init__(self, rank: int, uuid: str = "", size: int = 1) -> None:
        self.rank = rank
        self.most_hops = most_hops(size)
        self.parent: Hop | None = None
        self.ring: Hop | None = None
        """The next broker on the ring; None where there is no other."""
        self._on_ring = LEEWARD + uuid.encode()
        self.routes = Routes()
        self.pending = Pending()
        for nobody in (SEEKING, RINGWARD):
            self.pending.watch(nobody)
        self._services: dict[str, Hop] = {}

    def request(self, msg: Request, via: Hop) -> list[tuple[Hop, Request | Response]]:
        """Routes a request that came from `via`."""
        msg.route = (via, *msg.route)
        hop = self._parent_asked(msg) or self._next(msg)
        if isinstance(hop, int):
            return self._refuse(msg, hop)
        return [(hop, self.sent(hop, msg))]

    def sent(self, hop: Hop, msg: Request) -> Request:
        """A request goes to a hop, which owes the answer from now on: also SEEKING and RINGWARD, where it waits."""
        if msg.topic.endswith(".disconnect"):
            self.pending.withdrawn(hop, msg.route, msg.service)
        self.pending.sent(hop, msg)
        return msg

    def response(self, msg: Response, via: Hop) -> list[tuple[Hop, Request | Response]]:
        """Sends a response from `via` back the way its request came. One that nobody waits for ends here."""
        if not msg.route or not self.pending.answered(via, msg):
            return []
        hop = msg.route[0]
        msg.route = msg.route[1:]
        return [(hop, msg)]

    def lost(self, hop: Hop) -> list[tuple[Hop, Request | Response]]:
        """A neighbour is gone: nothing leads there, and whoever waits for it learns so."""
        self.routes.drop(hop)
        if self.parent == hop:
            self.parent = None
        self._services = {name: owner for name, owner in self._services.items() if owner != hop}
        refusals = self.pending.lost(hop, EHOSTUNREACH)
        self.pending.forget(hop)
        return [step for refusal in refusals for step in self.response(refusal, hop)]

    # -- services ---------------------------------------------------------------------------------------------------

    def register(self, name: str, hop: Hop) -> bool:
        """Makes `hop` the owner of a service name on this broker; False if it has one."""
        return self._services.setdefault(name, hop) == hop

    def unregister(self, name: str, hop: Hop) -> bool:
        """Takes a service name from `hop`; False if it was not the owner."""
        if self._services.get(name) != hop:
            return False
        del self._services[name]
        return True

    def owner(self, name: str) -> Hop | None:
        """Who serves that name on this broker."""
        return self._services.get(name)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _next(self, msg: Request) -> Hop | int:
        """The next hop, or the errnum with which the request ends here."""
        if msg.nodeid & RING and msg.nodeid != ANY:
            return self._around(msg)
        if len(msg.route) > self.most_hops:
            return EHOSTUNREACH
        if msg.flags & UPSTREAM and msg.nodeid == self.rank:
            return self.parent or EHOSTUNREACH
        if msg.flags & UPSTREAM or msg.nodeid == ANY:
            return self._services.get(msg.service) or self.parent or ENOSYS
        if msg.nodeid == self.rank:
            return self._services.get(msg.service) or ENOSYS
        return self.routes.link(msg.nodeid) or self.parent or EHOSTUNREACH

    def _parent_asked(self, msg: Request) -> Hop | None:
        """Who asks its parent for no more of something means the parent that it has asked."""
        if not (msg.flags & UPSTREAM and msg.topic.endswith(".cancel")):
            return None
        tag = msg.body().get("matchtag")
        return self.pending.holder(msg.route, tag) if isinstance(tag, int) else None

    def _around(self, msg: Request) -> Hop | int:
        """The next hop round the ring. What was here before has gone all the way round: nobody has that rank."""
        if msg.nodeid ^ RING == self.rank:
            return self._services.get(msg.service) or ENOSYS
        if self.ring is None or self._on_ring in msg.route:
            return EHOSTUNREACH
        return self.ring

    def refuse(self, msg: Request, errnum: int = EHOSTUNREACH) -> list[tuple[Hop, Request | Response]]:
        """Answers a request that was on its way and can go no further."""
        return self._refuse(msg, errnum)

    def _refuse(self, msg: Request, errnum: int) -> list[tuple[Hop, Request | Response]]:
        if not msg.wants_answer:
            return []
        text = f"No service matching {msg.topic} is registered" if errnum == ENOSYS else ""
        return self.response(refuse(msg, errnum, text), b"")
