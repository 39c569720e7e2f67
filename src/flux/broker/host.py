"""The broker as its services see it: the ports of flux.service.ports, each led to where it belongs."""

from collections.abc import Callable
from errno import ENOSYS
from typing import Any, NamedTuple

from flux.broker.attributes import AttributeTable
from flux.broker.broker import Broker
from flux.service.configuration import Configuration
from flux.service.ports import Attributes, Spawn, Timer
from flux.wire.message import Message


class Clock(NamedTuple):
    """Seconds since 1970, and what the process has used: what a simulation gives otherwise."""

    wall: Callable[[], float]
    rusage: Callable[[str], dict[str, Any]]


class BrokerHost:
    """One broker's host for all of its services."""

    def __init__(self, broker: Broker, attributes: AttributeTable, spawn: Spawn, clock: Clock) -> None:
        node = broker.node
        self.rank, self.size, self.uuid = node.rank, node.size, node.uuid
        self.hostname = attributes.lookup("hostname", "localhost")
        self.attributes: Attributes = attributes
        self.spawn = spawn
        self._broker = broker
        self._clock = clock
        self._ports: dict[str, Any] = {"neighbours": broker, "node": node, "below": self._below}
        self._ports |= {"config": Configuration(), "given": {}}

    def offer(self, name: str, port: Any) -> None:
        """Adds a port that services get by name."""
        self._ports[name] = port

    def port(self, name: str) -> Any:
        """A port by name; OSError(ENOSYS) names one that this broker does not have."""
        try:
            return self._ports[name]
        except KeyError:
            raise OSError(ENOSYS, f"this broker has no port '{name}'") from None

    def send(self, msg: Message, sender: bytes) -> None:
        """Routes a message as coming from `sender`."""
        self._broker.send(msg, sender)

    def subscribe(self, prefix: str, sender: bytes) -> None:
        """Lets `sender` hear events whose topic begins with `prefix`."""
        self._broker.subscriptions.add(prefix, sender)

    def unsubscribe(self, prefix: str, sender: bytes) -> None:
        """Takes one such subscription back."""
        self._broker.subscriptions.remove(prefix, sender)

    def log(self, level: int, app: str, text: str) -> None:
        """Writes to the broker's log."""
        self._broker.log(level, app, text)

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return self._broker.loop.time()

    def wall(self) -> float:
        """Seconds since 1970."""
        return self._clock.wall()

    def after(self, seconds: float, do: Callable[[], None]) -> Timer:
        """Calls `do` in that many seconds; with 0 at the end of this turn of the loop."""
        loop = self._broker.loop
        return loop.call_later(seconds, do) if seconds > 0 else loop.call_soon(do)

    def rusage(self, who: str) -> dict[str, Any]:
        """What the process has used (getrusage(2))."""
        return self._clock.rusage(who)

    def last_event(self) -> int:
        """The number of the last event that this broker has seen."""
        return self._broker.node.events.last

    def parent(self) -> bytes:
        """The link to the parent, b"" without one."""
        return self._broker.node.parent or b""

    def _below(self, rank: int) -> int | None:
        """The rank of the child through which a rank is reached; None for one that is not below this broker."""
        node = self._broker.node
        link = node.router.routes.link(rank)
        return node.children.rank(link) if link is not None and link in node.children else None
