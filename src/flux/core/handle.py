"""The handle: a program's way into its Flux instance."""

from _thread import _local
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL
from os.path import basename
from sys import argv
from typing import TYPE_CHECKING, Any, Self

from flux.constants import (
    FLUX_MATCHTAG_NONE,
    FLUX_MSGTYPE_ANY,
    FLUX_MSGTYPE_EVENT,
    FLUX_NODEID_ANY,
    FLUX_O_NONBLOCK,
    FLUX_POLLERR,
    FLUX_POLLIN,
    FLUX_POLLOUT,
    FLUX_RPC_NORESPONSE,
    FLUX_RPC_STREAMING,
)
from flux.core.channel import Channel
from flux.core.stream import Stream
from flux.core.watchers import (
    Callback,
    CheckWatcher,
    FDWatcher,
    IdleWatcher,
    PrepareWatcher,
    SignalWatcher,
    TimerWatcher,
)
from flux.future import Future
from flux.message import Message, MessageWatcher
from flux.rpc import RPC
from flux.runtime.blocking import wall
from flux.runtime.reactor import Reactor
from flux.wire.match import Match
from flux.wire.message import UNKNOWN, Request, Response, around, refuse, respond
from flux.wire.message import Message as WireMessage
from flux.wire.payload import encode_payload, topic_text

if TYPE_CHECKING:
    from flux.base.gathered import Gathered
    from flux.base.idset import Ids

_IMMUTABLE = 1
"""The flag of an attribute whose value never changes."""


class _Thread(_local):
    """What a thread knows about its reactor."""

    reactor_depth = 0
    exception: BaseException | None = None


class Flux(Channel):
    """A connection to a broker; without a `url` to the one of the session around us (FLUX_URI).

    Not for use by two threads at once; let each have a handle of its own.
    """

    tls = _Thread()

    def __init__(self, url: str | None = None, flags: int = 0, handle: "Flux | None" = None) -> None:
        if handle is not None:
            self.__dict__ = handle.__dict__
            return
        super().__init__(url)
        self.flags = flags
        self._attributes: dict[str, str] = {}
        self._config: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- requests ---------------------------------------------------------------------------------------------------

    def rpc(
        self, topic: Any, payload: Any = None, nodeid: int = FLUX_NODEID_ANY, flags: int = 0, *, ring: bool = False
    ) -> RPC:
        """Asks a service. `payload` is what JSON can carry, text, or bytes that are sent as they are.

        `nodeid` is a rank, or FLUX_NODEID_ANY for the nearest broker that has the service; `flags` are FLUX_RPC_*.
        With `ring` the request goes to that rank from one broker to the next, not through the tree: for debugging.
        OSError(EINVAL) without a rank then.
        """
        return RPC(self, topic, payload, around(nodeid) if ring else nodeid, flags)

    def stream(self, topic: Any, payload: Any = None, nodeid: int = FLUX_NODEID_ANY, *, ring: bool = False) -> Stream:
        """Asks a service for a stream: `for answer in h.stream("log.dmesg", {"follow": True}): ...`."""
        return Stream(self.rpc(topic, payload, nodeid, FLUX_RPC_STREAMING, ring=ring))

    def multicast(
        self, topic: Any, payload: Any = None, ranks: "Ids" = "all", within: float | None = None
    ) -> "Gathered":
        """Asks a service on many ranks by one request that goes down the tree, and waits for all of them.

        `ranks` is an idset ("0-7", an IDset, a list) or "all"; `payload` a dict or None. The answer has `answers`,
        (ranks, payload) with equal ones together, and `errors`, (ranks, errnum, text): of ranks that refuse, cannot be
        reached (EHOSTUNREACH), or do not answer `within` so many seconds (ETIMEDOUT). Its `check` raises OSError for
        errors, `by_rank` gives a dict. OSError(EINVAL) for ranks that cannot be: nothing is asked then.
        """
        from flux.base.gathered import TOPIC, Gathered, question

        return Gathered.read(self.rpc(TOPIC, question(topic_text(topic), payload, ranks, within)).get())

    def multicast_stream(self, topic: Any, payload: Any = None, ranks: "Ids" = "all") -> "Iterator[Gathered]":
        """As `multicast`, for topics that answer in streams: yields what comes, merged in turns of milliseconds.

        `ended` are the ranks whose stream is over. The loop ends with the last one; who leaves it ends all of them.
        """
        from flux.base.gathered import TOPIC, Gathered, question

        return map(Gathered.read, self.stream(TOPIC, question(topic_text(topic), payload, ranks)))

    def reduce(self, name: str, value: Any, nprocs: int, op: str = "sum") -> Any:
        """Brings `value` to the reduction `name` and waits for what `nprocs` callers' values make together.

        `op` is "sum", "min" or "max" of numbers, "set" (each value once) or "list" (all of them, in no order) of any
        JSON values. All callers get the same; then the name is free again. OSError: EINVAL if they disagree on op or
        nprocs, or `value` is not for `op`; EEXIST if this handle has entered already; ECONNABORTED if another left.
        """
        return self.rpc("reduce.enter", {"name": name, "value": value, "nprocs": nprocs, "op": op}).get()["value"]

    def respond(self, message: Message, payload: Any = None) -> int:
        """Answers a request; a request for a stream may be answered many times."""
        request = _request(message)
        return self._answer(respond(request, encode_payload(payload), more=request.streaming))

    def respond_error(self, message: Message, errnum: int, errstr: str | None = None) -> int:
        """Refuses a request, or ends a stream (ENODATA is its proper end)."""
        return self._answer(refuse(_request(message), errnum, errstr or ""))

    def service_register(self, name: str) -> Future:
        """Takes over the service `name`: its requests come to this handle."""
        return RPC(self, "service.add", {"service": name})

    def service_unregister(self, name: str) -> Future:
        """Gives a service back."""
        return RPC(self, "service.remove", {"service": name})

    # -- messages ---------------------------------------------------------------------------------------------------

    def send(self, message: Message | WireMessage, flags: int = 0) -> int:
        """Sends a message that was made before."""
        self.send_message(message.handle if isinstance(message, Message) else message)
        return 0

    def recv(
        self,
        type_mask: int = FLUX_MSGTYPE_ANY,
        match_tag: int = FLUX_MATCHTAG_NONE,
        topic_glob: Any = None,
        flags: int = 0,
    ) -> Message | None:
        """Waits for a message that matches; with FLUX_O_NONBLOCK returns None instead of waiting.

        Answers to RPCs do not come here.
        """
        match = Match(type_mask, None if topic_glob is None else topic_text(topic_glob), match_tag)
        asked = False
        while (found := self._find(match)) is None:
            if flags & FLUX_O_NONBLOCK and asked:
                return None
            self.wait(0 if flags & FLUX_O_NONBLOCK else None)
            asked = True
        return Message(handle=found)

    def event_create(self, topic: Any, payload: Any = None) -> Message:
        """Makes an event."""
        return Message.from_event_encode(topic, payload)

    def event_send(self, topic: Any, payload: Any = None) -> int:
        """Publishes an event to the whole instance."""
        return self.send(self.event_create(topic, payload))

    def event_recv(self, topic: Any = None) -> Message | None:
        """Waits for an event, of this topic or shell pattern if there is one."""
        return self.recv(type_mask=FLUX_MSGTYPE_EVENT, topic_glob=topic)

    def event_subscribe(self, topic: Any) -> int:
        """Asks for events whose topic begins with `topic`."""
        prefix = topic_text(topic)
        if self.session.subscribe(prefix):
            try:
                RPC(self, "event.subscribe", {"topic": prefix}).get()
            except OSError:
                self.session.unsubscribe(prefix)
                raise
        return 0

    def event_unsubscribe(self, topic: Any) -> int:
        """Takes one subscription back. OSError(ENOENT) if there is none."""
        prefix = topic_text(topic)
        if self.session.unsubscribe(prefix):
            RPC(self, "event.unsubscribe", {"topic": prefix}).get()
        return 0

    def log(self, level: int, fstring: Any) -> None:
        """Writes to the instance's log. Levels are those of `syslog`: LOG_ERR, LOG_INFO, ..."""
        from flux.base.logline import LogLine, timestamp

        text = fstring.decode(errors="replace") if isinstance(fstring, bytes) else str(fstring)
        stamp, rank, program = timestamp(wall()), self.get_rank(), basename(argv[0]).replace(" ", "_") or "python"
        for line in text.splitlines():
            record = LogLine(level & 7, stamp, rank, program, line).encode()
            self.rpc("log.append", record.encode(), flags=FLUX_RPC_NORESPONSE)

    # -- what the broker knows --------------------------------------------------------------------------------------

    def get_rank(self) -> int:
        """The rank of the broker that this is connected to."""
        return int(self.attr_get("rank"))

    def attr_get(self, attr_name: str) -> str:
        """A broker attribute. OSError(ENOENT) if there is none of that name."""
        if attr_name not in self._attributes:
            answer = self.rpc("attr.get", {"name": attr_name}).get()
            if not answer.get("flags", 0) & _IMMUTABLE:
                return str(answer["value"])
            self._attributes[attr_name] = str(answer["value"])
        return self._attributes[attr_name]

    def attr_set(self, attr: str, value: str) -> None:
        """Sets a broker attribute. Both are text, else ValueError."""
        name, value = _text(attr, "name"), _text(value, "value")
        self.rpc("attr.set", {"name": name, "value": value}).get()

    def attr_remove(self, attr: str) -> None:
        """Removes a broker attribute. Its name is text, else ValueError."""
        self.rpc("attr.rm", {"name": _text(attr, "name")}).get()

    def conf_get(self, key: str | None = None, default: Any = None, update: bool = False) -> Any:
        """The instance's configuration, or what `key` ("tbon.topo") names in it. Fetched once, and by `update`."""
        if update or self._config is None:
            self._config = self.rpc("config.get").get()
        value = self._config
        for word in key.split(".") if key is not None else ():
            if not isinstance(value, dict) or word not in value:
                return default
            value = value[word]
        return value

    # -- the reactor ------------------------------------------------------------------------------------------------

    def reactor_run(self, reactor: Reactor | None = None, flags: int = 0) -> int:
        """Runs callbacks until one stops it or none is left. Returns how many watchers are active, -1 after an error.

        What a callback raises comes out of here; Ctrl-C does as KeyboardInterrupt.
        """
        reactor = reactor or self.get_reactor()
        with self.in_reactor():
            try:
                result = reactor.run(flags)
            finally:
                self.flush()
        self.raise_if_exception()
        return result

    def reactor_stop(self, reactor: Reactor | None = None) -> None:
        """Ends `reactor_run`."""
        (reactor or self.get_reactor()).stop()

    def reactor_stop_error(self, reactor: Reactor | None = None) -> None:
        """Ends `reactor_run`, which returns -1."""
        (reactor or self.get_reactor()).stop_error()

    @classmethod
    def reactor_running(cls) -> bool:
        """Whether this thread is in `reactor_run`."""
        return cls.tls.reactor_depth > 0

    @classmethod
    def reactor_enter(cls) -> None:
        """Notes that this thread's reactor runs."""
        cls.tls.reactor_depth += 1

    @classmethod
    def reactor_exit(cls) -> None:
        """Takes that back."""
        cls.tls.reactor_depth -= 1

    @contextmanager
    def in_reactor(self) -> Iterator[None]:
        """Notes that the reactor runs while something is done."""
        self.reactor_enter()
        try:
            yield
        finally:
            self.reactor_exit()

    @classmethod
    def set_exception(cls, exception: BaseException | None) -> BaseException | None:
        """Sets what this thread's `reactor_run` raises when it ends. Returns what was set before."""
        before, cls.tls.exception = cls.tls.exception, exception
        return before

    @classmethod
    def raise_if_exception(cls) -> None:
        """Raises what `set_exception` has set, once."""
        exception = cls.set_exception(None)
        if exception is not None:
            raise exception from None

    # -- watchers ---------------------------------------------------------------------------------------------------

    def msg_watcher_create(
        self,
        callback: Callback,
        type_mask: int = FLUX_MSGTYPE_ANY,
        topic_glob: Any = "*",
        args: Any = None,
        match_tag: int = FLUX_MATCHTAG_NONE,
        rolemask: int | None = None,
    ) -> MessageWatcher:
        """A watcher for messages that matches."""
        return MessageWatcher(self, type_mask, callback, topic_glob, match_tag, rolemask, args)

    def timer_watcher_create(
        self, after: float, callback: Callback, repeat: float = 0.0, args: Any = None
    ) -> TimerWatcher:
        """A watcher for a time, in seconds."""
        return TimerWatcher(self, after, callback, repeat=repeat, args=args)

    def fd_watcher_create(
        self, fd_int: int, callback: Callback, events: int | None = None, args: Any = None
    ) -> FDWatcher:
        """A watcher for a descriptor; `events` are FLUX_POLLIN, FLUX_POLLOUT, FLUX_POLLERR."""
        if events is None:
            events = FLUX_POLLIN | FLUX_POLLOUT | FLUX_POLLERR
        return FDWatcher(self, fd_int, events, callback, args=args)

    def signal_watcher_create(self, signum: int, callback: Callback, args: Any = None) -> SignalWatcher:
        """A watcher for a signal."""
        return SignalWatcher(self, signum, callback, args)

    def prepare_watcher_create(self, callback: Callback, args: Any = None) -> PrepareWatcher:
        """A watcher for the reactor's turns, before it waits."""
        return PrepareWatcher(self, callback, args=args)

    def check_watcher_create(self, callback: Callback, args: Any = None) -> CheckWatcher:
        """A watcher for the reactor's turns, after it has waited."""
        return CheckWatcher(self, callback, args=args)

    def idle_watcher_create(self, callback: Callback | None = None, args: Any = None) -> IdleWatcher:
        """A watcher that keeps the reactor from waiting."""
        return IdleWatcher(self, callback, args=args)

    def add_watcher(self, watcher: Any) -> Any:
        """Returns the watcher: one that has started stays alive by itself."""
        return watcher

    def del_watcher(self, watcher: Any) -> None:
        """Does nothing; see `add_watcher`."""

    def incref(self) -> None:
        """Does nothing: Python counts references by itself."""

    # -- inside -----------------------------------------------------------------------------------------------------

    def _find(self, match: Match) -> WireMessage | None:
        for index, msg in enumerate(self.inbox):
            if match.accepts(msg):
                del self.inbox[index]
                return msg
        return None

    def _answer(self, response: Response) -> int:
        response.userid, response.rolemask = UNKNOWN, 0
        self.send_message(response)
        return 0


def _request(message: Message) -> Request:
    request = message.handle
    if not isinstance(request, Request) or not request.wants_answer:
        raise OSError(EINVAL, "the message is not a request that wants an answer")
    return request


def _text(value: object, what: str) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"Attribute {what} must be a string")
