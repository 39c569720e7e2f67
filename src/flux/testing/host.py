"""Services without a broker: a Host in memory that routes between them and callers that a test makes up."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from errno import EHOSTUNREACH, ENOSYS
from typing import Any

from flux.broker.attributes import AttributeTable
from flux.broker.hops import Subscriptions
from flux.service.configuration import Configuration
from flux.service.kit import Service
from flux.service.ports import Attributes, Spawn, Timer
from flux.service.requests import Requests, Stream, failure
from flux.testing.spawn import FakeSpawn
from flux.testing.virtual import VirtualLoop
from flux.wire.message import (
    ANY,
    LOCAL,
    NORESPONSE,
    OWNER,
    STREAMING,
    UNKNOWN,
    UPSTREAM,
    Data,
    Event,
    Message,
    Request,
    Response,
    refuse,
)

EPOCH = 1_700_000_000.0
USERID = 1000


class FakeHost:
    """Hosts the services that `load` brings up. Callers need no more than a name: `call(..., sender=b"client1")`.

    `events` are all that were published, `logged` are (level, app, text), `attributes` a real table, `ports` a dict.
    """

    def __init__(
        self,
        attributes: Mapping[str, str] | None = None,
        *,
        rank: int = 0,
        size: int = 1,
        spawn: Spawn | None = None,
        ports: Mapping[str, Any] | None = None,
    ) -> None:
        self.rank, self.size, self.hostname = rank, size, f"fake{rank}"
        self.uuid = f"{rank:04x}" * 9
        self.attributes: Attributes = AttributeTable(dict(attributes or {}))
        self.spawn: Spawn = spawn or FakeSpawn()
        self.ports: dict[str, Any] = {"unload": self._unload, "config": Configuration()} | dict(ports or {})
        self.services: dict[str, Service] = {}
        self.events: list[Event] = []
        self.logged: list[tuple[int, str, str]] = []
        self.up: FakeHost | None = None
        self.toward: Callable[[int], FakeHost | None] = lambda rank: None
        """Which neighbour is on the way to a rank."""
        self.announce: Callable[[Event], None] = self.hear
        """What publishing is: a tree of hosts numbers and spreads events in its own way."""
        self.hops: dict[bytes, Callable[[Message], None]] = {}
        self._subscriptions = Subscriptions()
        self._callers: dict[bytes, Requests] = {}
        self._box: deque[tuple[Message, bytes]] = deque()
        self._draining = False

    # -- its services -----------------------------------------------------------------------------------------------

    async def load(self, kind: type[Service], *args: str) -> Service:
        """Brings a service up and gives it its names; one that refuses is gone again."""
        service = kind(self, args)
        self.hops[service.id] = service.deliver
        try:
            await service.bring_up()
        except BaseException:
            await self._drop(service)
            raise
        self.services |= dict.fromkeys((service.name, *service.aliases), service)
        return service

    async def unload(self, name: str) -> None:
        """Takes a service down."""
        service = self.services[name]
        self.services = {name: other for name, other in self.services.items() if other is not service}
        await self._drop(service)

    async def _drop(self, service: Service) -> None:
        await service.take_down()
        self._subscriptions.drop(service.id)
        self.hops.pop(service.id)

    def _unload(self, name: str) -> None:
        self.services[name].run(self.unload(name))

    # -- callers ----------------------------------------------------------------------------------------------------

    async def call(self, topic: str, data: Data = None, **how: Any) -> dict[str, Any]:
        """Asks for one answer, `how` as in `request`. Raises the OSError that the service refuses with."""
        return (await self.ask(topic, data, **how)).body()

    async def ask(self, topic: str, data: Data = None, **how: Any) -> Response:
        """As `call`, for an answer that is not JSON."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def told(response: Response) -> None:
            if not answer.done():
                answer.set_result(response)

        self.request(topic, data, told, **how)
        response = await answer
        if response.errnum:
            raise failure(response)
        return response

    async def refusal(self, topic: str, data: Data = None, **how: Any) -> tuple[int, str]:
        """Asks, and wants to be refused: errno and text."""
        try:
            answer = await self.call(topic, data, **how)
        except OSError as error:
            return error.errno or 0, error.strerror or ""
        raise AssertionError(f"{topic} was not refused but answered {answer}")

    async def stream(self, topic: str, data: Data = None, **how: Any) -> AsyncIterator[dict[str, Any]]:
        """Asks for a stream of answers; who stops listening cancels it."""
        stream = Stream(lambda: None)
        tag = self.request(topic, data, stream.receive, flags=STREAMING, **how)
        try:
            async for answer in stream:
                yield answer
        finally:
            self.request(topic.partition(".")[0] + ".cancel", {"matchtag": tag}, None, **how)

    def request(
        self,
        topic: str,
        data: Data = None,
        told: Callable[[Response], object] | None = None,
        *,
        sender: bytes = b"client",
        userid: int = USERID,
        rolemask: int = OWNER | LOCAL,
        flags: int = 0,
        nodeid: int = ANY,
    ) -> int:
        """Sends a request as `sender`; its answers go to `told`, None wants none. Returns the matchtag."""
        requests = self._callers.get(sender)
        if requests is None:
            requests = self._callers[sender] = Requests()
            self.hops[sender] = lambda msg: requests.receive(msg) if isinstance(msg, Response) else None
        tag = requests.open(told) if told is not None else 0
        self.send(Request(userid, rolemask, flags if told else flags | NORESPONSE, topic, data, nodeid, tag), sender)
        return tag

    def disconnect(self, sender: bytes) -> None:
        """A caller hangs up: every service is told."""
        for name in list(self.services):
            self.request(f"{name}.disconnect", sender=sender)
        self._callers.pop(sender, None)
        self.hops.pop(sender, None)

    # -- routing ----------------------------------------------------------------------------------------------------

    def send(self, msg: Message, sender: bytes) -> None:
        """Routes a message as coming from `sender`: a service, a caller, or a neighbour's uuid."""
        if isinstance(msg, Request) and msg.userid == UNKNOWN and sender.startswith(f"{self.uuid}-".encode()):
            msg.rolemask |= LOCAL  # as a broker does for what its services ask in their own name
        self._box.append((msg, sender))
        if self._draining:
            return
        self._draining = True
        try:
            while self._box:
                self._route(*self._box.popleft())
        finally:
            self._draining = False

    def _route(self, msg: Message, sender: bytes) -> None:
        if isinstance(msg, Request):
            msg.route = (sender, *msg.route)
            self._forward(msg, self._next(msg))
        elif isinstance(msg, Response):
            hop, msg.route = msg.route[0], msg.route[1:]
            self._hand(hop, msg)
        elif isinstance(msg, Event):
            self.announce(msg)

    def _next(self, msg: Request) -> "Callable[[Message], None] | FakeHost | None":
        if msg.flags & UPSTREAM and msg.nodeid == self.rank:
            return self.up
        if msg.nodeid not in (ANY, self.rank):
            return self.toward(msg.nodeid)
        service = self.services.get(msg.service)
        if service is None:
            return self.up if msg.nodeid == ANY else None
        return service.deliver

    def _forward(self, msg: Request, to: "Callable[[Message], None] | FakeHost | None") -> None:
        if isinstance(to, FakeHost):
            if msg.flags & UPSTREAM and msg.nodeid == self.rank:
                msg.flags, msg.nodeid = msg.flags & ~UPSTREAM, ANY
            msg.rolemask &= ~LOCAL
            asyncio.get_running_loop().call_soon(to.send, msg, self.uuid.encode())
        elif to is not None:
            to(msg)
        elif msg.wants_answer and (msg.flags & UPSTREAM or msg.nodeid not in (ANY, self.rank)):
            self.send(refuse(msg, EHOSTUNREACH), b"")
        elif msg.wants_answer:
            self.send(refuse(msg, ENOSYS, f"No service matching {msg.topic} is registered"), b"")

    def _hand(self, hop: bytes, msg: Message) -> None:
        deliver = self.hops.get(hop)
        if deliver is not None:
            deliver(msg)

    def hear(self, event: Event) -> None:
        """Numbers an event that nobody has numbered yet, and lets subscribers have it."""
        event.sequence = event.sequence or self.last_event() + 1
        self.events.append(event)
        for hop in sorted(self._subscriptions.hearers(event)):
            self._hand(hop, event)

    # -- what else a service wants of its host ------------------------------------------------------------------------

    def subscribe(self, prefix: str, sender: bytes) -> None:
        """Lets `sender` hear events."""
        self._subscriptions.add(prefix, sender)

    def unsubscribe(self, prefix: str, sender: bytes) -> None:
        """Takes one such subscription back."""
        self._subscriptions.remove(prefix, sender)

    def log(self, level: int, app: str, text: str) -> None:
        """Adds to `logged`."""
        self.logged.append((level, app, text))

    def now(self) -> float:
        """Virtual seconds."""
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        """Virtual seconds since 1970."""
        return EPOCH + self.now()

    def after(self, seconds: float, do: Callable[[], None]) -> Timer:
        """Calls `do` in so many virtual seconds; with 0 at the end of this turn of the loop."""
        loop = asyncio.get_running_loop()
        return loop.call_later(seconds, do) if seconds > 0 else loop.call_soon(do)

    async def advance(self, seconds: float = 1e-6) -> None:
        """Lets everything happen that does in so many virtual seconds; without an argument, all that is ready now."""
        await asyncio.sleep(seconds)

    def rusage(self, who: str) -> dict[str, Any]:
        """A fixed answer."""
        return {"utime": 1.0, "stime": 0.5, "maxrss": 1000, "who": who}

    def last_event(self) -> int:
        """The number of the last event."""
        return self.events[-1].sequence if self.events else 0

    def parent(self) -> bytes:
        """The link to the parent."""
        return self.up.uuid.encode() if self.up else b""

    def port(self, name: str) -> Any:
        """One of `ports`."""
        try:
            return self.ports[name]
        except KeyError:
            raise OSError(ENOSYS, f"no port '{name}'") from None


Scenario = Callable[[FakeHost], Awaitable[None]]


def play(scenario: Scenario, *kinds: type[Service], host: FakeHost | None = None) -> FakeHost:
    """Runs a scenario on virtual time with these services; at its end they are taken down, last first."""
    host = host or FakeHost()

    async def session() -> None:
        for kind in kinds:
            await host.load(kind)
        await scenario(host)
        while host.services:
            await host.unload(next(reversed(host.services)))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(session())
    return host
