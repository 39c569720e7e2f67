"""A connection to a broker, for the tasks of one event loop."""

import asyncio
from collections.abc import AsyncIterator
from errno import ECONNRESET
from functools import partial
from typing import Any, Self

from flux.aio.flow import Flow
from flux.aio.streams import Answers, Events, News, Stream, settle
from flux.base.gathered import TOPIC, Gathered, question
from flux.base.idset import Ids
from flux.constants import FLUX_NODEID_ANY
from flux.rpc import failure
from flux.runtime.local import CLOSED, LOST, lost
from flux.runtime.stream import StreamLink
from flux.wire.message import PRIVATE, STREAMING, Event, Message, Request, Response, around
from flux.wire.payload import decode_payload, encode_payload, topic_text
from flux.wire.session import Session, Told, ignore


class Handle:
    """Asks services, hears and publishes events. `flux.aio.connect` makes one."""

    def __init__(self) -> None:
        self.session = Session()
        self.link = StreamLink(self._receive, self._lost)
        self.link.on_pause = self._pause
        self._flow = Flow(self.link)
        self._news: list[News] = []
        self._reason = LOST
        self._writable: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection. Requests without an answer and open streams end with ECONNRESET."""
        if not self.link.closed:
            self._reason = CLOSED
            self.link.close()
        await asyncio.shield(self._gone)

    # -- requests ---------------------------------------------------------------------------------------------------

    async def rpc(self, topic: str, payload: Any = None, *, nodeid: int = FLUX_NODEID_ANY, ring: bool = False) -> Any:
        """Asks a service and returns the JSON payload of its answer, None if it has none.

        `payload` is what JSON can carry, text, or bytes that are sent as they are; `nodeid` is a rank. An error answer
        is an OSError with its errno and text. Who cancels this takes no answer; the service is not told. With `ring`
        the request goes to that rank from one broker to the next, not through the tree: for debugging.
        """
        return decode_payload((await self.ask(topic, payload, nodeid=around(nodeid) if ring else nodeid)).data)

    async def ask(self, topic: str, payload: Any = None, *, nodeid: int = FLUX_NODEID_ANY) -> Response:
        """As `rpc`, and returns the whole answer, for payloads that are not JSON."""
        if self.link.paused:
            await self._until_writable()
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        request = self._request(topic, payload, partial(settle, answer), nodeid)
        try:
            with self._flow.waiting():
                response = await answer
        except asyncio.CancelledError:
            self.session.forget(request.matchtag)
            raise
        if response.errnum:
            raise failure(response)
        return response

    def stream(self, topic: str, payload: Any = None, *, nodeid: int = FLUX_NODEID_ANY, ring: bool = False) -> Stream:
        """Asks a service for a stream: `async for answer in h.stream("log.dmesg", {"follow": True}): ...`.

        The request is sent at once. A loop that is left early or cancelled sends `<service>.cancel`. While a loop does
        not take what comes, the connection is not read, so that the service waits, unless something else is awaited
        here; a loop that leaves 64 MiB waiting is ended (ENOBUFS).
        """
        answers = Answers(self._flow)
        to = around(nodeid) if ring else nodeid
        request = self._request(topic, payload, answers.answered, to, STREAMING)
        answers.dropped = partial(self.end_stream, request)
        return Stream(self, request, answers)

    async def notify(self, topic: str, payload: Any = None, *, nodeid: int = FLUX_NODEID_ANY) -> None:
        """Sends a request that wants no answer."""
        if self.link.paused:
            await self._until_writable()
        self._request(topic, payload, None, nodeid)

    # -- many at once -----------------------------------------------------------------------------------------------

    async def multicast(
        self, topic: str, payload: Any = None, ranks: Ids = "all", *, within: float | None = None
    ) -> Gathered:
        """Asks a service on many ranks by one request that goes down the tree, and waits for all of them.

        `ranks` is an idset ("0-7", an IDset, a list) or "all"; `payload` a dict or None. The answer has `answers`,
        (ranks, payload) with equal ones together, and `errors`, (ranks, errnum, text): of ranks that refuse, cannot be
        reached (EHOSTUNREACH), or do not answer `within` so many seconds (ETIMEDOUT). Its `check` raises OSError for
        errors, `by_rank` gives a dict. OSError(EINVAL) for ranks that cannot be: nothing is asked then.
        """
        return Gathered.read(await self.rpc(TOPIC, question(topic_text(topic), payload, ranks, within)))

    async def multicast_stream(self, topic: str, payload: Any = None, ranks: Ids = "all") -> AsyncIterator[Gathered]:
        """As `multicast`, for topics that answer in streams: yields what comes, merged in turns of milliseconds.

        `ended` are the ranks whose stream is over. The loop ends with the last one; who leaves it ends all of them.
        """
        async with self.stream(TOPIC, question(topic_text(topic), payload, ranks)) as answers:
            async for body in answers:
                yield Gathered.read(body)

    async def reduce(self, name: str, value: Any, nprocs: int, op: str = "sum") -> Any:
        """Brings `value` to the reduction `name` and waits for what `nprocs` callers' values make together.

        `op` is "sum", "min" or "max" of numbers, "set" (each value once) or "list" (all of them, in no order) of any
        JSON values. All callers get the same; then the name is free again. OSError: EINVAL if they disagree on op or
        nprocs, or `value` is not for `op`; EEXIST if this handle has entered already; ECONNABORTED if another left.
        """
        entry = {"name": name, "value": value, "nprocs": nprocs, "op": op}
        return (await self.rpc("reduce.enter", entry))["value"]

    # -- events -----------------------------------------------------------------------------------------------------

    def events(self, prefix: str = "") -> Events:
        """Subscribes to events whose topic begins with `prefix`: `async for event in h.events("job-"): ...`.

        What this handle sends afterwards, it sends as a subscriber. `async with` waits until the broker has said so.
        A loop that does not take what comes is treated as that of a stream.
        """
        news = News(self._flow, prefix)
        news.dropped = partial(self._leave, news)
        self._news.append(news)
        if self.session.subscribe(prefix):
            self._request("event.subscribe", {"topic": prefix}, news.answered, FLUX_NODEID_ANY)
        else:
            news.answered(Response())
        return Events(self, news)

    async def publish(self, topic: str, payload: Any = None, *, private: bool = False) -> None:
        """Publishes an event to the whole instance; `private` is for its owner and the sending user alone."""
        if self.link.paused:
            await self._until_writable()
        self.send(Event(flags=PRIVATE if private else 0, topic=topic_text(topic), data=encode_payload(payload)))

    def _leave(self, news: News) -> None:
        """Unsubscribes, when all have heard the event that was too much."""
        asyncio.get_running_loop().call_soon(self.unsubscribe, news)

    # -- for streams and subscriptions ------------------------------------------------------------------------------

    def end_stream(self, request: Request) -> None:
        """Takes no more answers to a request, and tells the service (RFC 6)."""
        self.session.forget(request.matchtag)
        if not self.link.closed:
            self._request(f"{request.service}.cancel", {"matchtag": request.matchtag}, None, request.nodeid)

    def unsubscribe(self, news: News) -> None:
        """Hears no more of a subscription."""
        self._news.remove(news)
        if self.session.unsubscribe(news.prefix) and not self.link.closed:
            self._request("event.unsubscribe", {"topic": news.prefix}, ignore, FLUX_NODEID_ANY)

    # -- messages ---------------------------------------------------------------------------------------------------

    def send(self, msg: Message) -> None:
        """Sends a message as it is."""
        if self.link.closed:
            raise lost(self._reason)
        self.link.send(msg)

    def _request(self, topic: str, payload: Any, told: Told | None, nodeid: int, flags: int = 0) -> Request:
        if self.link.closed:
            raise lost(self._reason)
        data = encode_payload(payload)
        request = self.session.request(topic_text(topic), data, told, nodeid=nodeid, flags=flags)
        self.link.send(request)
        return request

    def _receive(self, link: StreamLink, msg: Message) -> None:
        rest = self.session.receive(msg)
        if isinstance(rest, Event):
            for news in self._news:
                news.heard(rest)

    def _lost(self, link: StreamLink, reason: str) -> None:
        self._pause(link)
        self.session.fail(ECONNRESET, self._reason)
        for news in self._news:
            news.end(lost(self._reason))
        self._gone.set_result(None)

    # -- flow control -----------------------------------------------------------------------------------------------

    def _pause(self, link: StreamLink) -> None:
        if self._writable is not None and (link.closed or not link.paused):
            settle(self._writable, None)
            self._writable = None

    async def _until_writable(self) -> None:
        while self.link.paused and not self.link.closed:
            if self._writable is None:
                self._writable = asyncio.get_running_loop().create_future()
            with self._flow.waiting():  # a broker whose answers we do not read does not read us either
                await asyncio.shield(self._writable)
