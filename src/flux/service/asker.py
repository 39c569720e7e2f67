"""The half of a service that asks: requests to others and what they answer, events that it publishes, its log lines."""

import asyncio
from collections.abc import Callable
from errno import ENOSYS
from typing import Any, ClassVar

from flux.base.gathered import TOPIC, Gathered, question
from flux.base.idset import Ids
from flux.service.ports import Host
from flux.service.requests import Requests, Stream, failure
from flux.wire.message import (
    ANY,
    NORESPONSE,
    OWNER,
    PRIVATE,
    STREAMING,
    UNKNOWN,
    UPSTREAM,
    Data,
    Event,
    Message,
    Request,
    Response,
)

REQUEST, RESPONSE, EVENT = range(3)
"""Places in a count of messages."""


class Asker:
    """Somebody on a broker with an address, who can send and be answered."""

    name: ClassVar[str] = ""
    """The service's name, the first word of its topics; the class's name in lower case unless set."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.id = f"{host.uuid}-{self.name}".encode()
        self.received = [0, 0, 0]
        """Requests, responses and events that came in."""
        self.sent = [0, 0, 0]
        self.__requests = Requests()
        self.__contacts: dict[tuple[str, int], None] = {}
        """The topics that it has asked, and where."""

    async def rpc(self, topic: str, data: Data = None, *, nodeid: int = ANY, upstream: bool = False) -> dict[str, Any]:
        """Asks and waits for the one answer. Raises the OSError that the service refuses with."""
        return (await self.ask(topic, data, nodeid=nodeid, upstream=upstream)).body()

    async def ask(self, topic: str, data: Data = None, *, nodeid: int = ANY, upstream: bool = False) -> Response:
        """As `rpc`, for an answer that is not JSON."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def told(response: Response) -> None:
            if not answer.done():
                answer.set_result(response)

        tag = self.send_request(topic, data, told, nodeid=nodeid, upstream=upstream)
        try:
            response = await answer
        finally:
            self.__requests.forget(tag)
        if response.errnum:
            raise failure(response)
        return response

    def stream(self, topic: str, data: Data = None, *, nodeid: int = ANY, upstream: bool = False) -> Stream:
        """Asks for a stream of answers. Who stops iterating cancels it."""
        cancel_topic = topic.partition(".")[0] + ".cancel"
        stream = Stream(lambda: self.notify(cancel_topic, {"matchtag": tag}, nodeid=nodeid, upstream=upstream))
        tag = self.send_request(topic, data, stream.receive, nodeid=nodeid, upstream=upstream, flags=STREAMING)
        return stream

    def notify(self, topic: str, data: Data = None, *, nodeid: int = ANY, upstream: bool = False) -> None:
        """Sends a request that wants no answer."""
        self.send_request(topic, data, None, nodeid=nodeid, upstream=upstream)

    def send_request(
        self,
        topic: str,
        data: Data,
        told: Callable[[Response], None] | None,
        *,
        nodeid: int = ANY,
        upstream: bool = False,
        flags: int = 0,
    ) -> int:
        """Sends a request whose responses `told` gets; None wants no answer. Returns the matchtag."""
        if upstream:
            nodeid, flags = self.host.rank, flags | UPSTREAM
        else:
            self.__contacts[topic, nodeid] = None
        return self.ask_as(Request(UNKNOWN, OWNER, flags, topic, data, nodeid), told)

    def ask_as(self, asked: Request, told: Callable[[Response], None] | None) -> int:
        """As `send_request`, for a request that was made with somebody else's credentials, and perhaps his address."""
        tag = asked.matchtag = self.__requests.open(told) if told is not None else 0
        if told is None:
            asked.flags |= NORESPONSE
        self.send(asked)
        return tag

    def send_untagged(self, topic: str, data: Data, *, flags: int = 0) -> None:
        """Sends a request that is answered without a matchtag: what the answers are about is in them (RFC 27, 32)."""
        self.__contacts[topic, ANY] = None
        self.send(Request(UNKNOWN, OWNER, flags, topic, data, ANY))

    def forget_request(self, tag: int) -> None:
        """Takes no more answers to a request."""
        self.__requests.forget(tag)

    async def multicast(
        self, topic: str, data: dict[str, Any] | None = None, ranks: Ids = "all", within: float | None = None
    ) -> Gathered:
        """Asks `topic` of a set of ranks by one request down the tree: their answers, equal ones together.

        Refusals, and ranks that cannot be reached or do not answer `within` so many seconds, are in its `errors`.
        """
        return Gathered.read(await self.rpc(TOPIC, question(topic, data, ranks, within)))

    def publish(self, topic: str, data: Data = None, *, private: bool = False) -> None:
        """Publishes an event to the whole session; `private` is for the owner and the sending user alone."""
        self.send(Event(flags=PRIVATE if private else 0, rolemask=OWNER, topic=topic, data=data))

    def send(self, msg: Message) -> None:
        """Hands a message to the broker."""
        self.sent[_PLACE[type(msg)]] += 1
        self.host.send(msg, self.id)

    def subscribe(self, prefix: str) -> None:
        """Hears events whose topic begins with `prefix`; `deliver` gets them."""
        self.host.subscribe(prefix, self.id)

    def log(self, level: int, text: str) -> None:
        """Writes a line to the broker's log. Levels are syslog's: 3 error, 4 warning, 6 info, 7 debug."""
        self.host.log(level, self.name, text)

    def answered(self, response: Response) -> None:
        """Takes an answer to one of its requests."""
        self.received[RESPONSE] += 1
        if response.matchtag:
            self.__requests.receive(response)
        else:
            self.untagged(response)

    def untagged(self, response: Response) -> None:
        """Override it to take answers that have no matchtag, as those of the protocols of RFC 27 and 32."""

    def take_leave(self) -> None:
        """Tells whoever it has asked that it is gone, as a client's connection does: nothing is kept for it there.

        What a parent was asked is a reduction's or a cache's, who see to that themselves.
        """
        for service, nodeid in sorted({(topic.partition(".")[0], nodeid) for topic, nodeid in self.__contacts}):
            self.notify(f"{service}.disconnect", nodeid=nodeid)

    def give_up(self, text: str) -> None:
        """Answers everything that it still waits for with ENOSYS: it will hear no more."""
        self.__requests.fail(ENOSYS, text)


_PLACE: dict[type[Message], int] = {Request: REQUEST, Response: RESPONSE, Event: EVENT}
