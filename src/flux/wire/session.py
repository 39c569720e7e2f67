"""The client's side of a connection: matchtags, requests that wait for answers, subscriptions. It sends nothing."""

from collections.abc import Callable
from errno import ENOENT

from flux.wire.message import ANY, NORESPONSE, Data, Message, Request, Response

Told = Callable[[Response], None]
"""Gets the answers to one request, in order."""


def ignore(response: Response) -> None:
    """Takes answers that nobody waits for any more."""


class Session:
    """What one client has asked, and what it hears."""

    __slots__ = ("_free", "_last", "_open", "_subscriptions")

    def __init__(self) -> None:
        self._open: dict[int, Told] = {}
        self._free: list[int] = []
        self._last = 0
        self._subscriptions: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    # -- requests ---------------------------------------------------------------------------------------------------

    def request(
        self, topic: str, data: Data = None, told: Told | None = None, *, nodeid: int = ANY, flags: int = 0
    ) -> Request:
        """Makes a request whose answers `told` gets; without it, one that wants no answer."""
        if told is None:
            return Request(flags=flags | NORESPONSE, topic=topic, data=data, nodeid=nodeid)
        if self._free:
            tag = self._free.pop()
        else:
            tag = self._last = self._last + 1
        self._open[tag] = told
        return Request(flags=flags, topic=topic, data=data, nodeid=nodeid, matchtag=tag)

    def receive(self, msg: Message) -> Message | None:
        """Hands an answer to who waits for it. Returns what is not an answer to a request made here."""
        if not isinstance(msg, Response):
            return msg
        told = self._open.get(msg.matchtag)
        if told is None or msg.route:
            return msg
        if msg.final:
            del self._open[msg.matchtag]
            self._free.append(msg.matchtag)
        told(msg)
        return None

    def forget(self, tag: int) -> None:
        """Nobody waits for this request any more. Its matchtag is free only when its last answer has come (RFC 6)."""
        if tag in self._open:
            self._open[tag] = ignore

    def fail(self, errnum: int, text: str) -> None:
        """The connection is lost: everything that is open is answered with an error."""
        while self._open:
            tag, told = self._open.popitem()
            told(Response(errnum=errnum, data=text.encode() + b"\0", matchtag=tag))

    # -- events -----------------------------------------------------------------------------------------------------

    @property
    def subscriptions(self) -> frozenset[str]:
        """The prefixes whose events the broker sends to this client."""
        return frozenset(self._subscriptions)

    def subscribe(self, prefix: str) -> bool:
        """Counts a subscription; says whether the broker has to be asked for it."""
        count = self._subscriptions.get(prefix, 0)
        self._subscriptions[prefix] = count + 1
        return count == 0

    def unsubscribe(self, prefix: str) -> bool:
        """Takes one back; says whether the broker has to be told. OSError(ENOENT) if there is none."""
        count = self._subscriptions.get(prefix, 0)
        if count == 0:
            raise OSError(ENOENT, f"No such file or directory: not subscribed to {prefix!r}")
        if count > 1:
            self._subscriptions[prefix] = count - 1
            return False
        del self._subscriptions[prefix]
        return True
