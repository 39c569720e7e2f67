"""What every service can do without writing a line: answer requests, ask others, hear events, keep time, be unloaded."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from errno import EIO, ENOSYS, EPERM, EPROTO
from inspect import isasyncgen, iscoroutine, isgenerator
from typing import Any, ClassVar

from flux.service.call import LATER, Call
from flux.service.ports import Host, Timer
from flux.service.reduce import OWN
from flux.service.reductions import Reductions
from flux.service.requests import Requests, Stream, failure
from flux.service.topics import Topic, request
from flux.wire.message import (
    ANY,
    NORESPONSE,
    OWNER,
    PRIVATE,
    STREAMING,
    UPSTREAM,
    USER,
    Data,
    Event,
    Message,
    Request,
    Response,
)

LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG = 3, 4, 5, 6, 7


class Service:
    """One service of one broker. Subclass it, mark methods with @request, @event and @every."""

    name: ClassVar[str] = ""
    """The service's name, the first word of its topics; the class's name in lower case unless set."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Further service names that it answers to."""
    topics: ClassVar[dict[str, Topic]] = {}
    prefixes: ClassVar[dict[str, str]] = {}
    periods: ClassVar[dict[str, float]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.name = cls.__dict__.get("name") or cls.__name__.lower()
        cls.topics, cls.prefixes, cls.periods = {}, {}, {}
        marked = {n: getattr(cls, n).__dict__ for n in dir(cls) if hasattr(getattr(cls, n), "__dict__")}
        for method, marks in marked.items():
            if "topic" in marks:
                name, topic = marks["topic"]
                cls.topics[name if "." in name else f"{cls.name}.{name}"] = topic
            if "event" in marks:
                cls.prefixes[marks["event"]] = method
            if "every" in marks:
                cls.periods[method] = marks["every"]

    def __init__(self, host: Host, args: Sequence[str] = ()) -> None:
        self.host = host
        self.args = tuple(args)
        self.id = f"{host.uuid}-{self.name}".encode()
        self.debug_flags = 0
        self.received = [0, 0, 0]
        """Requests, responses and events that came in."""
        self.sent = [0, 0, 0]
        self.__calls: dict[tuple[bytes, int], Call] = {}
        self.__requests = Requests()
        self.__tasks: set[asyncio.Task[None]] = set()
        self.__timers: dict[str, Timer] = {}
        self.__reductions = Reductions(self)

    # -- its life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Gets ready, before the first message. Raising OSError refuses the load."""

    async def stop(self) -> None:
        """Lets go of what the kit does not know of. The service is no longer registered."""

    async def bring_up(self) -> None:
        """Called by the broker: subscribes, starts timers, gets the service ready."""
        for prefix in self.prefixes:
            self.subscribe(prefix)
        await self.start()
        for method, seconds in self.periods.items():
            self.every(seconds, getattr(self, method), name=method)

    async def take_down(self) -> None:
        """Called by the broker: refuses what is open, ends tasks and timers."""
        try:
            await self.stop()
        finally:
            for timer in self.__timers.values():
                timer.cancel()
            self.__timers.clear()
            for call in list(self.__calls.values()):
                call.refuse(ENOSYS, f"{self.name} was unloaded")
            self.__requests.fail(ENOSYS, f"{self.name} was unloaded")
            tasks = [task for task in self.__tasks if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- what reaches it --------------------------------------------------------------------------------------------

    def deliver(self, msg: Message) -> None:
        """Takes a message from the broker."""
        if isinstance(msg, Request):
            self.received[0] += 1
            self._serve(msg)
        elif isinstance(msg, Response):
            self.received[1] += 1
            self._guarded(self.__requests.receive, msg)
        elif isinstance(msg, Event):
            self.received[2] += 1
            for prefix, method in self.prefixes.items():
                if msg.topic.startswith(prefix):
                    self._guarded(getattr(self, method), msg)

    def disconnected(self, sender: bytes) -> None:
        """A caller is gone; its calls are cancelled already. For state that is not a call."""

    def events_lost(self) -> None:
        """Events were lost beyond replay: whoever follows state by events fetches it anew."""

    def link_lost(self, link: bytes) -> None:
        """Called by the broker: a child is gone, and with it the callers behind it."""
        for call in [call for call in self.__calls.values() if link in call.request.route]:
            call.abandon()
        for key in self.__reductions.drop(link):
            self.contributor_lost(key)

    def parent_changed(self) -> None:
        """Called by the broker: there is a new parent, who knows nothing of what was contributed."""
        self.__reductions.repeat()

    # -- what it asks of others -------------------------------------------------------------------------------------

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
        tag = self.__requests.open(told) if told is not None else 0
        if told is None:
            flags |= NORESPONSE
        if upstream:
            nodeid, flags = self.host.rank, flags | UPSTREAM
        self.send(Request(-1 & 0xFFFFFFFF, OWNER, flags, topic, data, nodeid, tag))
        return tag

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
        """Asks for a stream of answers."""
        cancel_topic = topic.partition(".")[0] + ".cancel"
        stream = Stream(lambda: self.notify(cancel_topic, {"matchtag": tag}, nodeid=nodeid, upstream=upstream))
        tag = self.send_request(topic, data, stream.receive, nodeid=nodeid, upstream=upstream, flags=STREAMING)
        return stream

    def notify(self, topic: str, data: Data = None, *, nodeid: int = ANY, upstream: bool = False) -> None:
        """Sends a request that wants no answer."""
        self.send_request(topic, data, None, nodeid=nodeid, upstream=upstream)

    def publish(self, topic: str, data: Data = None, *, private: bool = False) -> None:
        """Publishes an event to the whole session; `private` is for the owner and the sending user alone."""
        self.send(Event(flags=PRIVATE if private else 0, rolemask=OWNER, topic=topic, data=data))

    def send(self, msg: Message) -> None:
        """Hands a message to the broker."""
        self.sent[0 if isinstance(msg, Request) else 1 if isinstance(msg, Response) else 2] += 1
        self.host.send(msg, self.id)

    def subscribe(self, prefix: str) -> None:
        """Hears events whose topic begins with `prefix`; `deliver` gets them."""
        self.host.subscribe(prefix, self.id)

    def log(self, level: int, text: str) -> None:
        """Writes a line to the broker's log. Levels are syslog's: 3 error, 4 warning, 6 info, 7 debug."""
        self.host.log(level, self.name, text)

    # -- time and tasks ---------------------------------------------------------------------------------------------

    def every(self, seconds: float, do: Callable[[], None], *, name: str = "") -> None:
        """Calls `do` again and again until the service is unloaded; the same name replaces."""
        name = name or do.__name__

        def again() -> None:
            self.__timers[name] = self.host.after(seconds, again)
            self._guarded(do)

        if name in self.__timers:
            self.__timers.pop(name).cancel()
        self.__timers[name] = self.host.after(seconds, again)

    def run(self, work: Coroutine[Any, Any, None], *, call: Call | None = None) -> None:
        """Runs something in the background; it ends with the service, and with its caller if there is one."""
        task = asyncio.get_running_loop().create_task(self._logged(work, call))
        self.__tasks.add(task)
        task.add_done_callback(self.__tasks.discard)
        if call is not None:
            self.keep(call)
            call.on_close = task.cancel

    # -- reductions -------------------------------------------------------------------------------------------------

    reduce_delay: ClassVar[float] = 0.0
    """Seconds that contributions wait for others before they go up; 0 is the end of the loop's turn."""

    def merge(self, key: str, values: Iterable[Any]) -> Any:
        """Merges contributions to `key`; of none it returns what means nothing. Override it to reduce."""
        raise NotImplementedError

    def reduced(self, key: str, value: Any) -> None:
        """Called on rank 0 with the session's merged value of `key` each time it changes."""

    def contribute(self, key: str, value: Any) -> None:
        """Makes `value`, something that JSON can carry, this broker's own contribution to `key`."""
        self.__reductions.put(key, OWN, value)

    def close(self, key: str, event: Event) -> None:
        """`event` has ended this round of `key`: every broker forgets it when it hears that event."""
        self.__reductions.close(key, event.sequence)

    def contributor_lost(self, key: str) -> None:
        """A link that had contributed to `key` is lost. For reductions that a shrinking value does not undo."""

    @request("reduce")
    def _reduce(self, call: Call, *, key: str, value: Any, seen: int) -> None:
        self.__reductions.report(key, call.link, value, seen)

    # -- what everybody answers -------------------------------------------------------------------------------------

    @request(allow=USER, raw=True)
    def ping(self, call: Call, *, payload: bytes) -> dict[str, Any]:
        """Gives the payload back, with the way it came (RFC 5)."""
        asked = call.request
        hops = [*(hop[:8].decode("latin-1") for hop in reversed(asked.route)), self.host.uuid[:8]]
        return asked.body() | {
            "route": "!".join(hops),
            "userid": asked.userid,
            "rolemask": asked.rolemask,
            "rank": self.host.rank,
        }

    @request(allow=USER)
    def disconnect(self, call: Call) -> None:
        """The sender is gone: its calls are dropped."""
        for open_call in [c for c in self.__calls.values() if c.sender == call.sender]:
            open_call.abandon()
        self.disconnected(call.sender)

    @request(allow=USER)
    def cancel(self, call: Call, *, matchtag: int) -> None:
        """Ends one of the sender's streams in order."""
        found = self.__calls.get((call.sender, matchtag))
        if found is not None:
            found.cancel()

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Counts of the messages that the service sent and received."""
        kinds = ("request", "response", "event")
        return {
            "tx": {**dict(zip(kinds, self.sent, strict=True)), "control": 0},
            "rx": {**dict(zip(kinds, self.received, strict=True)), "control": 0},
        }

    @request()
    def stats_clear(self, call: Call) -> None:
        """Sets the counts to 0."""
        self.sent, self.received = [0, 0, 0], [0, 0, 0]

    @request(allow=USER)
    def rusage(self, call: Call, *, who: str = "self") -> dict[str, Any]:
        """What the broker has used: getrusage(2) of self, children or thread."""
        return self.host.rusage(who)

    @request()
    def debug(self, call: Call, *, op: str, flags: int = 0) -> dict[str, int]:
        """Reads and changes the service's debug flags."""
        match op:
            case "setbit":
                self.debug_flags |= flags
            case "clrbit":
                self.debug_flags &= ~flags
            case "set":
                self.debug_flags = flags
            case "clr":
                self.debug_flags = 0
            case _:
                raise OSError(EPROTO, f"debug: no such op: {op}")
        return {"flags": self.debug_flags}

    @request()
    def shutdown(self, call: Call) -> None:
        """Unloads the service."""
        self.host.port("unload")(self.name)

    # -- inside -----------------------------------------------------------------------------------------------------

    def keep(self, call: Call) -> None:
        """Remembers a call that is answered later, so that a caller that leaves takes it along."""
        if not call.closed:
            self.__calls[call.key] = call

    def _serve(self, msg: Request) -> None:
        call = Call(msg, self.send, self._drop)
        topic = self.topics.get(msg.topic)
        try:
            if topic is None:
                raise OSError(ENOSYS, f"Unknown service method {msg.topic}")
            if not topic.permits(msg):
                raise OSError(EPERM, "Request requires owner credentials")
            if topic.stream and not msg.streaming:
                raise OSError(EPROTO, f"{msg.topic} needs a streaming request")
            if topic.raw:
                outcome = topic.function(self, call, payload=msg.payload() or b"")
            else:
                outcome = topic.function(self, call, **topic.arguments(msg.data))
            self._settle(call, outcome)
        except OSError as error:
            call.refuse(error.errno or EIO, error.strerror or str(error))
        except Exception:
            self._bug(call)

    def _settle(self, call: Call, outcome: Any) -> None:
        if outcome is None or isinstance(outcome, dict | bytes):
            call.respond(outcome)
        elif outcome is LATER:
            self.keep(call)
        elif iscoroutine(outcome):
            self.run(self._answer(call, outcome), call=call)
        elif not call.request.streaming:
            raise OSError(EPROTO, f"{call.request.topic} needs a streaming request")
        elif isgenerator(outcome):
            _pour(call, outcome)
        elif isasyncgen(outcome):
            self.run(_pour_slowly(call, outcome), call=call)
        else:
            raise TypeError(f"{call.request.topic} answered {type(outcome).__name__}")

    async def _answer(self, call: Call, outcome: Coroutine[Any, Any, Any]) -> None:
        self._settle(call, await outcome)

    async def _logged(self, work: Coroutine[Any, Any, None], call: Call | None) -> None:
        try:
            await work
        except OSError as error:
            if call is None:
                self.log(LOG_ERR, f"{error.strerror or error}")
            else:
                call.refuse(error.errno or EIO, error.strerror or str(error))
        except Exception:
            self._bug(call)

    def _guarded(self, do: Callable[..., None], *args: Any) -> None:
        try:
            do(*args)
        except Exception:
            self._bug(None)

    def _bug(self, call: Call | None) -> None:
        """A mistake of ours: traceback to the log, EIO to the caller, the broker lives."""
        self.log(LOG_ERR, traceback.format_exc().rstrip())
        if call is not None:
            call.refuse(EIO, f"{call.request.topic} failed (see flux dmesg)")

    def _drop(self, call: Call) -> None:
        if self.__calls.get(call.key) is call:
            del self.__calls[call.key]


def _pour(call: Call, answers: Iterator[Any]) -> None:
    for answer in answers:
        call.respond(answer)
    call.end()


async def _pour_slowly(call: Call, answers: AsyncIterator[Any]) -> None:
    async for answer in answers:
        call.respond(answer)
    call.end()
