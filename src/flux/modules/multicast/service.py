"""`multicast`: asks many ranks by one request that goes down the tree once per edge, and merges their answers."""

from collections.abc import Callable
from errno import EINVAL, ENODATA, EPROTO, ETIMEDOUT
from os import strerror
from typing import Any, ClassVar

from flux.base.idset import IDset
from flux.modules.multicast.plan import Part, parts, targets
from flux.modules.multicast.sheaf import Sheaf, json_of
from flux.overlay.router import most_hops
from flux.service import ALL, LATER, Call, Later, Service, request
from flux.service.ports import Timer
from flux.wire.message import NORESPONSE, STREAMING, UPSTREAM, Request, Response

TURN = 0.002
"""Seconds that answers of a stream wait for others to be merged with."""
SHARE = 0.9
"""Of the time that a broker has, those that it asks have so much: so they answer before it gives up."""


class Multicast(Service):
    """Each broker asks itself, its children for the ranks below them, its parent for all others.

    A service sees the caller's credentials, but an address of the multicast's own: what it keeps for that address
    is dropped when the caller cancels or leaves, and nobody reaches another's calls by it.
    """

    name: ClassVar[str] = "multicast"

    async def start(self) -> None:
        """Begins with nothing asked."""
        self._below: Callable[[int], int | None] = self.host.port("below")
        self._casts: set[Cast] = set()
        self._count = 0

    async def stop(self) -> None:
        """Gives up what is open: the kit refuses it."""
        for cast in list(self._casts):
            cast.give_up()

    @request(allow=ALL)
    def call(
        self,
        call: Call,
        *,
        topic: str,
        ranks: str,
        payload: dict[str, Any] | None = None,
        timeout: float | None = None,
        single: bool = False,
        hops: int = 0,
    ) -> Later:
        """Asks `topic` of `ranks` (an idset or "all") with the caller's credentials.

        Answers {answers: [[ranks, payload]...], errors: [[ranks, errnum, text]...], ended: ranks}. To who takes a
        stream it answers that again and again; then services are asked for streams, too, unless `single`, and `ended`
        are the ranks whose stream is over. After `timeout` seconds the ranks that are missing count as ETIMEDOUT.
        """
        service, dot, method = topic.partition(".")
        if not (service and dot and method) or service == self.name:
            raise OSError(EINVAL, f"topic '{topic}' cannot be asked by multicast")
        if timeout is not None and timeout <= 0:
            raise OSError(EINVAL, f"timeout must be more than 0 seconds, not {timeout:g}")
        if not 0 <= hops < most_hops(self.host.size):
            raise OSError(EINVAL, "too many hops")
        wanted = targets(ranks, self.host.size)
        self._count += 1
        asked = call.request.body() | {"hops": hops + 1}
        cast = Cast(self, call, asked, f"{self.id.decode()}.{self._count}".encode())
        if call.request.wants_answer:
            self._casts.add(cast)
            call.on_close = cast.give_up
        cast.begin(parts(wanted, self.host.rank, self._below), timeout)
        return LATER

    def over(self, cast: "Cast") -> None:
        """That multicast is done."""
        self._casts.discard(cast)


class Cast:
    """One multicast on one broker: what it has asked, what has come."""

    def __init__(self, service: Multicast, call: Call, asked: dict[str, Any], sender: bytes) -> None:
        self._service, self._call, self._asked, self._sender = service, call, asked, sender
        self._streaming = call.request.streaming
        self._sheaf = Sheaf()
        self._open: dict[int, tuple[Part, IDset]] = {}
        self._deadline: Timer | None = None
        self._flushing: Timer | None = None

    def begin(self, found: list[Part], timeout: float | None) -> None:
        """Asks everybody."""
        if timeout is not None and self._call.request.wants_answer:
            self._asked = self._asked | {"timeout": timeout * SHARE}
            self._deadline = self._service.host.after(timeout, self._time_out)
        for part in found:
            self._ask(part)
        self._look()

    def give_up(self) -> None:
        """Nobody waits for it any more: those that were asked are told."""
        self._end()
        for tag, (part, _) in self._open.items():
            self._service.forget_request(tag)
            self._service.ask_as(self._farewell(part, tag), None)
        self._open.clear()

    # -- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, part: Part) -> None:
        """Asks a rank for itself, or a broker for several."""
        if part.direct:
            single = self._asked.get("single", False)
            flags = self._call.request.flags & STREAMING if not single else 0
            asked = self._request(part, self._asked["topic"], self._asked.get("payload"), flags)
        else:
            data = self._asked | {"ranks": str(part.ranks)}
            asked = self._request(part, f"{self._service.name}.call", data, self._call.request.flags & STREAMING)
        if not self._call.request.wants_answer:
            self._service.ask_as(asked, None)
            return
        tag = self._service.ask_as(asked, lambda response: self._told(tag, response))
        self._open[tag] = part, part.ranks.copy()

    def _request(self, part: Part, topic: str, data: dict[str, Any] | None, flags: int) -> Request:
        """A request as the caller would send it. Only brokers know our own address."""
        caller, own = self._call.request, self._service.host.rank
        route = (self._sender,) if part.direct else ()
        if part.rank is None:
            flags |= UPSTREAM
        rank = own if part.rank is None else part.rank
        return Request(caller.userid, caller.rolemask, flags, topic, data, rank, 0, route)

    def _farewell(self, part: Part, tag: int) -> Request:
        """Tells who was asked that the answer is not wanted; the service itself, that we are gone."""
        if part.direct:
            service = self._asked["topic"].partition(".")[0]
            return self._request(part, f"{service}.disconnect", None, NORESPONSE)
        return self._request(part, f"{self._service.name}.cancel", {"matchtag": tag}, NORESPONSE)

    # -- answers ----------------------------------------------------------------------------------------------------

    def _told(self, tag: int, response: Response) -> None:
        """An answer came."""
        if tag not in self._open:
            return
        part, left = self._open[tag]
        try:
            if response.errnum:
                self._refused(part, left, response)
            elif part.direct:
                self._sheaf.answer(part.ranks, json_of(response.data))
            else:
                self._shared(left, response)
        except OSError as error:
            self._sheaf.fail(left, error.errno or EPROTO, error.strerror or "")
            left.subtract(left)
        if response.final:
            del self._open[tag]
            if not response.errnum:
                self._complete(part, left)
        self._look()

    def _complete(self, part: Part, left: IDset) -> None:
        """An answer came that was the last one without being an error."""
        if not part.direct:
            self._sheaf.fail(left, EPROTO, "no answer came of this rank")
        elif self._streaming and not self._asked.get("single", False):
            self._sheaf.end(part.ranks)

    def _refused(self, part: Part, left: IDset, response: Response) -> None:
        """An error, which is always the last answer; for a stream, ENODATA is its proper end."""
        ended = response.errnum == ENODATA and self._streaming
        if ended and part.direct:
            self._sheaf.end(part.ranks)
        elif ended:
            self._sheaf.fail(left, EPROTO, "no answer came of this rank")
        else:
            self._sheaf.fail(left, response.errnum, response.text() or strerror(response.errnum))

    def _shared(self, left: IDset, response: Response) -> None:
        """A broker answered for some of its ranks."""
        share = self._sheaf.bind(response.data)
        left.subtract(share.failed).subtract(share.ended)
        if not self._streaming or self._asked.get("single", False):
            left.subtract(share.answered)

    def _look(self) -> None:
        """Answers the caller when it is time to."""
        if self._call.closed:
            self._end()
        elif not self._open:
            self._finish()
        elif self._streaming and self._sheaf and self._flushing is None:
            self._flushing = self._service.host.after(TURN, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        self._call.respond(self._sheaf.take())

    def _finish(self) -> None:
        """Everybody has answered."""
        self._end()
        if not self._streaming:
            self._call.respond(self._sheaf.take())
            return
        if self._sheaf:
            self._call.respond(self._sheaf.take())
        self._call.end()

    def _time_out(self) -> None:
        """Those that have not answered yet will not."""
        missing = [left for _, left in self._open.values()]
        self.give_up()
        for left in missing:
            self._sheaf.fail(left, ETIMEDOUT, "no answer in time")
        self._finish()

    def _end(self) -> None:
        for timer in (self._deadline, self._flushing):
            if timer is not None:
                timer.cancel()
        self._deadline = self._flushing = None
        self._service.over(self)
