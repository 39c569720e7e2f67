"""One client as the broker knows it: who it is, what it subscribed to, whom it has talked to. Pure."""

from errno import EMFILE

from flux.wire.message import NORESPONSE, OWNER, PRIVATE, UPSTREAM, Event, Request, Response, Route

Contact = tuple[str, int, int]

MOST = 1 << 16
"""How many subscriptions, services and contacts each a connection may have: all of them are kept until it ends."""


class Client:
    """A connection's state."""

    def __init__(self, hop: bytes, userid: int, rolemask: int) -> None:
        self.hop, self.userid, self.rolemask = hop, userid, rolemask
        self.services: set[str] = set()
        """The service names that it serves."""
        self._subscriptions: dict[str, int] = {}
        self._subscribed = 0
        self._contacts: set[Contact] = set()
        self._owes: set[tuple[Route, int]] = set()

    def subscribe(self, prefix: str) -> None:
        """Counts one more subscription to topics that begin with `prefix`. OSError(EMFILE) if there are too many."""
        _check_room(self._subscribed, "subscriptions")
        self._subscribed += 1
        self._subscriptions[prefix] = self._subscriptions.get(prefix, 0) + 1

    def unsubscribe(self, prefix: str) -> bool:
        """Counts one less; False if there was none."""
        count = self._subscriptions.get(prefix, 0)
        if count > 1:
            self._subscriptions[prefix] = count - 1
        else:
            self._subscriptions.pop(prefix, None)
        self._subscribed -= count > 0
        return count > 0

    @property
    def subscriptions(self) -> list[str]:
        """Every subscription, as often as it is counted."""
        return [prefix for prefix, count in self._subscriptions.items() for _ in range(count)]

    def hears(self, event: Event) -> bool:
        """Whether it gets that event: it subscribed, and a private one is its own or it is the owner's."""
        if event.flags & PRIVATE and not self.rolemask & OWNER and event.userid != self.userid:
            return False
        topic = event.topic
        return any(topic.startswith(prefix) for prefix in self._subscriptions)

    def asked(self, msg: Request) -> None:
        """A request goes to this client, for a service of its own. What a guest owes is noted, while somebody waits."""
        if self.rolemask & OWNER:
            return
        if msg.wants_answer:
            self._owes.add((msg.route, msg.matchtag))
        elif msg.topic == f"{msg.service}.disconnect":
            self._owes = {(route, tag) for route, tag in self._owes if not route or route[-1] != msg.sender}

    def may_answer(self, msg: Response) -> bool:
        """Whether a response of this client answers something: a guest's must, or it could speak for any service."""
        if self.rolemask & OWNER:
            return True
        owed = (msg.route, msg.matchtag) in self._owes
        if msg.final:
            self._owes.discard((msg.route, msg.matchtag))
        return owed

    def serve(self, name: str) -> None:
        """Notes that it serves under that name. OSError(EMFILE) if there are too many."""
        _check_room(len(self.services), "services")
        self.services.add(name)

    def contacted(self, msg: Request) -> None:
        """Notes which service, and where, may keep something for this client. OSError(EMFILE): there are too many."""
        contact = (msg.service, msg.nodeid, msg.flags & UPSTREAM)
        if contact not in self._contacts:
            _check_room(len(self._contacts), "services on ranks that it has asked")
            self._contacts.add(contact)

    def farewells(self) -> list[Request]:
        """The requests that tell those services that the client is gone."""
        return [
            Request(self.userid, self.rolemask, NORESPONSE | upstream, f"{service}.disconnect", None, nodeid)
            for service, nodeid, upstream in sorted(self._contacts)
        ]


def _check_room(count: int, what: str) -> None:
    if count >= MOST:
        raise OSError(EMFILE, f"this connection has {count} {what}: use another one")
