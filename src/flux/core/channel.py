"""What a handle is built on: a connection, what was asked on it, what came, and who hands it out."""

from collections import deque
from collections.abc import Callable
from errno import ECONNRESET, EINVAL
from os import environ
from typing import Any

from flux.constants import FLUX_NODEID_UPSTREAM
from flux.core.dispatch import Dispatch
from flux.runtime.blocking import Connection, connect
from flux.runtime.local import CLOSED
from flux.runtime.reactor import Reactor
from flux.wire.message import NORESPONSE, UPSTREAM, Message, Request
from flux.wire.payload import encode_payload, topic_text
from flux.wire.session import Session, Told


class Channel:
    """A connection to a broker. Whoever waits reads it, and leaves to the others what is theirs."""

    def __init__(self, url: str | None = None) -> None:
        self.session = Session()
        self.connection: Connection = connect(url)
        self.inbox: deque[Message] = deque()
        """What came and is not the answer to a request."""
        self._dispatches: list[Dispatch] = []
        self._stamp = _credentials()

    def close(self) -> None:
        """Ends the connection; what still waits for an answer gets ECONNRESET."""
        if self.connection.fileno() >= 0:
            self.connection.close()
            self.session.fail(ECONNRESET, CLOSED)

    # -- out --------------------------------------------------------------------------------------------------------

    def request(self, topic: Any, payload: Any, told: Told | None, nodeid: int, flags: int = 0) -> Request:
        """Sends a request whose answers `told` gets; without it, one that wants no answer."""
        if nodeid == FLUX_NODEID_UPSTREAM:
            nodeid, flags = self.get_rank(), flags | UPSTREAM
        if type(topic) is not str:
            topic = topic_text(topic)
        request = self.session.request(topic, encode_payload(payload), told, nodeid=nodeid, flags=flags)
        self.send_message(request)
        return request

    def cancel(self, request: Request) -> None:
        """Asks the service that a request went to not to go on with it (RFC 6)."""
        payload = encode_payload({"matchtag": request.matchtag})
        flags = NORESPONSE | request.flags & UPSTREAM
        self.send_message(Request(flags=flags, topic=f"{request.service}.cancel", data=payload, nodeid=request.nodeid))

    def send_message(self, msg: Message) -> None:
        """Sends a message: now, or from within a callback together with all that the turn's callbacks send."""
        if self._stamp is not None:
            msg.userid, msg.rolemask = self._stamp
        if self._dispatches and self._dispatches[-1].flushes:
            self.connection.queue(msg)
        else:
            self._guarded(self.connection.send, msg)

    def flush(self) -> None:
        """Sends what callbacks left to be sent."""
        self._guarded(self.connection.flush)

    def get_rank(self) -> int:
        """The rank of the broker that this is connected to."""
        raise NotImplementedError

    # -- in ---------------------------------------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> None:
        """Waits for bytes, at most `timeout` seconds. Answers go where they belong, the rest to `inbox`."""
        self._guarded(self.connection.receive, self._take, timeout)

    def _take(self, msg: Message) -> None:
        rest = self.session.receive(msg)
        if rest is not None:
            self.inbox.append(rest)

    def _guarded(self, do: Callable[..., None], *args: Any) -> None:
        try:
            do(*args)
        except OSError as error:
            self.session.fail(error.errno or ECONNRESET, error.strerror or "")
            raise

    # -- who hands it out -------------------------------------------------------------------------------------------

    @property
    def dispatch(self) -> Dispatch:
        """What hands messages out in the reactor that callbacks set now belong to."""
        if not self._dispatches:
            self._dispatches.append(Dispatch(self, Reactor()))
        return self._dispatches[-1]

    def get_reactor(self) -> Reactor:
        """The reactor that callbacks set now belong to."""
        return self.dispatch.reactor

    def enter(self, reactor: Reactor) -> Callable[[], None]:
        """Makes `reactor` the one that callbacks belong to, until what this returns is called."""
        outer = self.dispatch
        if outer.flushes:
            self.flush()
        inner = Dispatch(self, reactor, keep=True)
        self._dispatches.append(inner)

        def leave() -> None:
            self._dispatches.remove(inner)
            self.flush()

        return leave


def _credentials() -> tuple[int, int] | None:
    """What FLUX_HANDLE_USERID and FLUX_HANDLE_ROLEMASK say: whom an instance owner pretends to be, for tests."""
    userid, rolemask = environ.get("FLUX_HANDLE_USERID"), environ.get("FLUX_HANDLE_ROLEMASK")
    if userid is None and rolemask is None:
        return None
    try:
        return int(userid or "0xffffffff", 0), int(rolemask or "0", 0)
    except ValueError:
        raise OSError(EINVAL, "FLUX_HANDLE_USERID and FLUX_HANDLE_ROLEMASK must be numbers") from None
