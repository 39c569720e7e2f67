"""One broker's links in memory: each connection carries what is sent in order, each way, until it ends or breaks."""

from collections import deque
from collections.abc import Callable
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING

from flux.overlay.router import LEEWARD, RINGWARD, UPWARD
from flux.runtime.wiring import Ears
from flux.wire.codec import decode, encode
from flux.wire.message import Event, Message

if TYPE_CHECKING:
    from flux.testing.network import Network

UP, DOWN, EVENT = range(3)
"""The lanes of a connection: what who made it sends, what the other one answers, and its events."""


class Wire:
    """A connection that `active` has made to `passive`, who knows of it once something has come over it."""

    __slots__ = ("_held", "_known", "_lanes", "_network", "active", "link", "name", "passive")

    def __init__(self, network: "Network", active: "MemoryLinks", link: bytes, passive: "MemoryLinks", name: bytes):
        self.active, self.link, self.passive, self.name = active, link, passive, name
        self._network = network
        self._known = False
        self._lanes = [0.0, 0.0, 0.0]
        self._held: deque[tuple[int, Callable[[], None]]] | None = None

    def send(self, sender: "MemoryLinks", msg: Message, mark: int, *, event: bool = False) -> None:
        """Carries a message to the other end."""
        if self._network.encodes():
            msg = decode(encode(msg))
        arrive = self._at_passive if sender is self.active else self._at_active
        self._carry(self._lane(sender, event=event), partial(arrive, msg, mark))

    def close(self, sender: "MemoryLinks") -> None:
        """One end gives it up. What it has sent arrives before the other one notices."""
        self._carry(self._lane(sender), partial(self._ended, self.passive if sender is self.active else self.active))

    def cut(self) -> None:
        """It breaks: what is on the way is lost, and who knows of it notices."""
        self._held = None
        self._known = True  # whoever does not know of it yet never will
        self.passive.forget(self)
        for end, link in ((self.active, self.link), (self.passive, self.name)):
            if end.wires.get(link) is self:
                end.drop(link)
                self._later(end, UP, partial(_tell, end, link))

    def taken_over(self) -> None:
        """Its end has another connection under the same name: who has made this one notices, if it is still in use."""
        end, link = self.active, self.link
        if end.wires.get(link) is self:
            end.drop(link)
            self._later(end, UP, partial(_tell, end, link))

    def go_on(self) -> None:
        """What was held is carried on."""
        held, self._held = self._held, None
        for lane, arrive in held or ():
            self._carry(lane, arrive)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _lane(self, sender: "MemoryLinks", *, event: bool = False) -> int:
        if event:
            return EVENT
        return UP if sender is self.active else DOWN

    def _carry(self, lane: int, arrive: Callable[[], None]) -> None:
        wall = self._network.walled(self.active.uuid, self.passive.uuid)
        if wall is not None and wall.silent:
            if self._held is None:
                self._held = deque()
            self._held.append((lane, arrive))
            self._network.hold(self)
        else:
            self._later(self.passive if lane == UP else self.active, lane, arrive)

    def _later(self, end: "MemoryLinks", lane: int, do: Callable[[], None]) -> None:
        weather, loop = self._network.weather, self._network.loop
        span = weather.event if lane == EVENT else weather.tree
        when = self._network.time_for(self._lanes[lane], span, self.active.uuid, self.passive.uuid)
        if when:
            self._lanes[lane] = when
            loop.call_at(when, do, context=end.context)
        else:
            loop.call_soon(do, context=end.context)

    def _at_passive(self, msg: Message, mark: int) -> None:
        passive, name = self.passive, self.name
        if not self._known:
            self._known = True
            passive.accept(name, self)
        if passive.wires.get(name) is self:
            passive.ears.receive(_own(msg), name, mark)

    def _at_active(self, msg: Message, mark: int) -> None:
        if self.active.wires.get(self.link) is self:
            self.active.ears.receive(_own(msg), self.link, mark)

    def _ended(self, end: "MemoryLinks") -> None:
        link = self.link if end is self.active else self.name
        self.passive.forget(self)
        if end.wires.get(link) is self:
            end.drop(link)
            _tell(end, link)


def _tell(end: "MemoryLinks", link: bytes) -> None:
    """An end notices, unless it has a new connection under the same name."""
    if link not in end.wires:
        end.ears.lost(link, "connection lost")


class MemoryLinks:
    """One broker's links: what `Wiring` is over ZeroMQ."""

    def __init__(self, network: "Network", uuid: bytes, ears: Ears, context: Context | None = None) -> None:
        self.uuid, self.ears, self.context = uuid, ears, context
        self.wires: dict[bytes, Wire] = {}
        """The connections that stand, as far as this end knows, by their names here."""
        self._network = network
        self._below: dict[bytes, Wire] = {}
        self._arriving: dict[Wire, None] = {}

    def connect(self, parent: str) -> None:
        """Connects to a parent by its uuid; one that is gone is noticed as lost."""
        self._connect(UPWARD + parent.encode(), self.uuid)

    def connect_ring(self, other: str) -> None:
        """Connects to the next broker on the ring."""
        self._connect(RINGWARD + other.encode(), LEEWARD + self.uuid)

    def send(self, link: bytes, msg: Message, mark: int) -> None:
        """Sends a message to a neighbour, if it is one."""
        wire = self.wires.get(link)
        if wire is not None:
            wire.send(self, msg, mark)

    def publish(self, msg: Message) -> None:
        """Sends an event to all children; some of them may not get it."""
        for wire in self._below.values():
            if not self._network.loses():
                wire.send(self, msg, 0, event=True)

    def disconnect(self, link: bytes) -> None:
        """Gives up a link."""
        wire = self.wires.get(link)
        if wire is not None:
            self.drop(link)
            wire.close(self)

    def close(self) -> None:
        """Gives up all links."""
        if self._network.ends.get(self.uuid) is self:
            del self._network.ends[self.uuid]
        for wire in list(self._arriving):
            wire.cut()
        for link in sorted(self.wires):
            self.disconnect(link)

    def die(self) -> None:
        """All connections break, also those that nothing has come over yet."""
        for wire in [*self._arriving, *self.sorted_wires()]:
            wire.cut()

    # -- what wires do ----------------------------------------------------------------------------------------------

    def accept(self, name: bytes, wire: Wire) -> None:
        """Somebody has connected to this broker, perhaps once more: the new connection takes the old one's place."""
        self._arriving.pop(wire, None)
        if self._network.ends.get(self.uuid) is self:
            before, self.wires[name] = self.wires.get(name), wire
            if before is not None:
                before.taken_over()
            if name[:1] != LEEWARD:
                self._below[name] = wire

    def drop(self, link: bytes) -> None:
        """A connection is of no use any more."""
        self.wires.pop(link, None)
        self._below.pop(link, None)

    def forget(self, wire: Wire) -> None:
        """Nothing will come over that one."""
        self._arriving.pop(wire, None)

    def sorted_wires(self) -> list[Wire]:
        """The connections, in an order that is the same in every run."""
        return [self.wires[link] for link in sorted(self.wires)]

    def _connect(self, link: bytes, name: bytes) -> None:
        if link in self.wires:
            return
        network, there = self._network, self._network.ends.get(link[1:])
        wall = network.walled(self.uuid, link[1:])
        if there is None or (wall is not None and not wall.silent):
            network.loop.call_soon(self._refused, link, context=self.context)
        else:
            wire = self.wires[link] = Wire(network, self, link, there, name)
            there._arriving[wire] = None

    def _refused(self, link: bytes) -> None:
        self.ears.lost(link, "no such broker")


def _own(msg: Message) -> Message:
    """A message that nobody else holds: an event goes to several brokers."""
    return (
        msg
        if not isinstance(msg, Event)
        else Event(msg.userid, msg.rolemask, msg.flags, msg.topic, msg.data, msg.sequence)
    )
