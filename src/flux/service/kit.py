"""A service of one broker: a class whose methods are topics. Here is its life; asking and answering are its bases'."""

from collections.abc import Callable, Iterable, Sequence
from errno import ENOENT, ENOSYS, EPERM
from itertools import pairwise
from typing import Any, ClassVar

from flux.service.asker import EVENT
from flux.service.call import Call
from flux.service.defaults import Defaults
from flux.service.levels import LOG_CRIT, LOG_DEBUG, LOG_ERR, LOG_INFO, LOG_NOTICE, LOG_WARNING
from flux.service.ports import Host, Timer
from flux.service.reduce import OWN
from flux.service.reductions import Reductions
from flux.service.topics import Topic, check_names, marks, request
from flux.wire.message import OWNER, Event, Message, Request, Response

__all__ = ["LOG_CRIT", "LOG_DEBUG", "LOG_ERR", "LOG_INFO", "LOG_NOTICE", "LOG_WARNING", "Service"]

HOOKS = frozenset(
    (
        *("__init__", "__init_subclass__", "configured", "start", "ending", "stop", "deliver", "log", "clear_stats"),
        *("disconnected", "events_lost", "link_lost", "link_moved", "parent_changed", "way_lost"),
        *("merge", "reduced", "untagged"),
    )
)
"""What a service may override, besides the default topics."""


class Service(Defaults):
    """One service of one broker. Subclass it, mark methods with @request, @event and @every."""

    aliases: ClassVar[tuple[str, ...]] = ()
    """Further service names that it answers to."""
    topics: ClassVar[dict[str, Topic]] = {}
    prefixes: ClassVar[dict[str, str]] = {}
    periods: ClassVar[dict[str, float]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        check_names(cls, Service, HOOKS)
        cls.name = cls.__dict__.get("name") or cls.__name__.lower()
        cls.topics, cls.prefixes, cls.periods = marks(cls, cls.name)
        cls.prefixes.setdefault(f"{cls.name}.stats-clear", "stats_cleared")

    def __init__(self, host: Host, args: Sequence[str] = ()) -> None:
        super().__init__(host)
        self.args = tuple(args)
        self.farewell = f"{self.name} was unloaded"
        """Why it answers no more, for those whom it owes an answer when it ends."""
        self.__timers: dict[str, Timer] = {}
        self.__followed: list[tuple[str, Callable[[str], None]]] = []
        self.__reductions = Reductions(self)

    # -- its life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Gets ready, before the first message. Raising OSError refuses the load."""

    async def ending(self) -> None:
        """The session ends. What takes its time is done now: all services are still there."""

    async def stop(self) -> None:
        """Lets go of what the kit does not know of. The service is no longer registered."""

    async def bring_up(self) -> None:
        """Called by the broker: subscribes, starts timers, gets the service ready."""
        for prefix in self.prefixes:
            self.subscribe(prefix)
        self.configured(self.host.port("config").current)
        await self.start()
        for method, seconds in self.periods.items():
            self.every(seconds, getattr(self, method), name=method)

    async def take_down(self, why: str = "") -> None:
        """Called by the broker: refuses what is open, takes back what it contributed, ends tasks and timers."""
        self.farewell = why or self.farewell
        try:
            await self.stop()
        finally:
            self.__reductions.withdraw()
            for name, told in self.__followed:
                self.host.attributes.unwatch(name, told)
            for timer in self.__timers.values():
                timer.cancel()
            self.__timers.clear()
            for call in self.open_calls():
                call.refuse(ENOSYS, self.farewell)
            self.give_up(self.farewell)
            await self.end_tasks()
            self.take_leave()

    # -- what reaches it --------------------------------------------------------------------------------------------

    def deliver(self, msg: Message) -> None:
        """Takes a message from the broker. A guest's event is for clients: a service that heeded it would obey it."""
        if isinstance(msg, Request):
            self.serve(msg)
        elif isinstance(msg, Response):
            self.guarded(self.answered, msg)
        elif isinstance(msg, Event) and msg.rolemask & OWNER:
            self.received[EVENT] += 1
            for prefix, method in self.prefixes.items():
                if msg.topic.startswith(prefix):
                    self.guarded(getattr(self, method), msg)

    def events_lost(self) -> None:
        """Events were lost beyond replay: whoever follows state by events fetches it anew."""

    def link_lost(self, link: bytes) -> None:
        """Called by the broker: a neighbour is gone; nothing gets back to those who asked over that link."""
        for call in self.open_calls(lambda asked: asked.route[0] == link):
            call.lose()
        self.__reductions.drop(link)

    def way_lost(self, near: bytes, far: bytes) -> None:
        """Called by the broker: somewhere a connection is gone; those who asked over that cannot be answered."""
        for call in self.open_calls(lambda asked: (near, far) in pairwise(asked.route)):
            call.lose()

    def link_moved(self, link: bytes) -> None:
        """Called by the broker: a child has another parent, to whom it contributes now. What is open with it stays."""
        self.__reductions.drop(link)

    def parent_changed(self) -> None:
        """Called by the broker: there is a new parent, who knows nothing of what was contributed."""
        self.__reductions.repeat()

    # -- time and attributes ----------------------------------------------------------------------------------------

    def every(self, seconds: float, do: Callable[[], None], *, name: str = "") -> None:
        """Calls `do` again and again until the service is unloaded; the same name replaces."""
        name = name or do.__name__

        def again() -> None:
            self.__timers[name] = self.host.after(seconds, again)
            self.guarded(do)

        if name in self.__timers:
            self.__timers.pop(name).cancel()
        self.__timers[name] = self.host.after(seconds, again)

    def follow(self, attribute: str, take: Callable[[str], None], default: str | None = None) -> None:
        """Has `take` told the attribute's value, now and before each change; it refuses by OSError(EINVAL).

        An attribute that is not there is set to `default`; without a default, it is not told before somebody sets it.
        """
        table = self.host.attributes
        try:
            value: str | None = table.get(attribute)
        except OSError as error:
            if error.errno != ENOENT:
                raise
            value = default
            if default is not None:
                table.set(attribute, default)
        if value is not None:
            take(value)
        table.watch(attribute, take)
        self.__followed.append((attribute, take))

    # -- reductions -------------------------------------------------------------------------------------------------

    reduce_delay: ClassVar[float] = 0.0
    """Seconds that contributions wait for others before they go up; 0 is the end of the loop's turn."""
    reduce_count: ClassVar[int] = 0
    """So many contributions do not wait any longer; 0 is no limit."""

    def merge(self, key: str, values: Iterable[Any]) -> Any:
        """Merges contributions to `key`; of none it returns what means nothing. Override it to reduce."""
        raise NotImplementedError

    def reduced(self, key: str, value: Any) -> None:
        """Called on rank 0 with the session's merged value of `key` each time it changes."""

    def contribute(self, key: str, value: Any) -> None:
        """Makes `value`, something that JSON can carry, this broker's own contribution to `key`."""
        self.__reductions.put(key, OWN, value)

    def take_back(self, key: str) -> None:
        """Ends this broker's own contribution to `key`."""
        self.__reductions.drop(OWN, key)

    def close(self, key: str, event: Event) -> None:
        """`event` has ended this round of `key`: every broker forgets it when it hears that event."""
        self.__reductions.close(key, event.sequence)

    @request("reduce")
    def reduce_from_below(self, call: Call, *, key: str, value: Any, seen: int) -> None:
        """Takes what a child has merged. None says that it contributes no more. EPERM: no child says so."""
        if call.sender != call.link + b"-" + self.name.encode():
            raise OSError(EPERM, f"{call.request.topic} is for brokers")
        if value is not None:
            self.__reductions.report(key, call.link, value, seen)
        else:
            self.__reductions.drop(call.link, key)
