"""The overlay networks of a simulated session, and what can go wrong with them. Faults are made by who has the seed."""

import asyncio
from collections.abc import Iterable
from contextvars import Context
from random import Random
from typing import NamedTuple

from flux.runtime.wiring import Ears
from flux.testing.links import MemoryLinks, Wire

Span = tuple[float, float]
"""The least and the most seconds that something takes."""


class Weather(NamedTuple):
    """What a network does to messages: delays in seconds (least and most), and the share of events that it loses."""

    tree: Span = (0.0, 0.0)
    event: Span = (0.0, 0.0)
    loss: float = 0.0
    encoded: float = 0.0
    """The share of messages that really go through bytes."""


class Wall:
    """What keeps some brokers from others: all of `inside` from all of `outside`, or from everybody else."""

    def __init__(self, inside: Iterable[str], outside: Iterable[str] | None = None, *, silent: bool = False) -> None:
        self._inside = {uuid.encode() for uuid in inside}
        self._outside = None if outside is None else {uuid.encode() for uuid in outside}
        self.silent = silent
        """Whether nobody is told: connections stand, and what is sent does not arrive. Else they break."""

    def between(self, one: bytes, other: bytes) -> bool:
        """Whether it stands between these two."""
        return self._parts(one, other) or self._parts(other, one)

    def _parts(self, one: bytes, other: bytes) -> bool:
        if one not in self._inside:
            return False
        return other not in self._inside if self._outside is None else other in self._outside


TICK = 1e-8
"""Seconds between two arrivals on one lane: the loop keeps no order among timers of one time."""

CALM = Weather()
ROUGH = Weather(tree=(0.0001, 0.01), event=(0.0001, 0.02), loss=0.05, encoded=0.1)


class Network:
    """All links of a simulated session."""

    def __init__(self, loop: asyncio.AbstractEventLoop, random: Random, weather: Weather = CALM) -> None:
        self.loop, self.random, self.weather = loop, random, weather
        self.ends: dict[bytes, MemoryLinks] = {}
        self.messages = 0
        """Messages that were carried, over all links."""
        self._walls: list[Wall] = []
        self._lags: dict[bytes, Span] = {}
        self._held: dict[Wire, None] = {}

    def links(self, uuid: str, ears: Ears, context: Context | None = None) -> MemoryLinks:
        """The links of one broker, who hears in its `context`."""
        end = self.ends[uuid.encode()] = MemoryLinks(self, uuid.encode(), ears, context)
        return end

    # -- faults -----------------------------------------------------------------------------------------------------

    def kill(self, uuid: str, *, told: bool = True) -> None:
        """A broker is gone from one moment to the next. Its neighbours notice, unless its host is gone with it."""
        end = self.ends[uuid.encode()]
        end.ears = DEAF
        if told:
            del self.ends[uuid.encode()]
            end.die()

    def cut(self, one: str, other: str) -> None:
        """The connections between two brokers break; both notice. They can connect again at once."""
        for uuid, far in ((one.encode(), other.encode()), (other.encode(), one.encode())):
            end = self.ends.get(uuid)
            for wire in end.sorted_wires() if end is not None else ():
                if far in (wire.active.uuid, wire.passive.uuid):
                    wire.cut()

    def raise_wall(self, wall: Wall) -> None:
        """From now on nothing gets through there. One that is not silent breaks the connections, and refuses others."""
        self._walls.append(wall)
        if not wall.silent:
            for end in list(self.ends.values()):
                for wire in end.sorted_wires():
                    if wall.between(wire.active.uuid, wire.passive.uuid):
                        wire.cut()

    def lift(self, wall: Wall, broken: float = 0.0) -> None:
        """The wall is gone. What was held comes through, but a share of the connections turns out to be `broken`."""
        self._walls.remove(wall)
        held, self._held = self._held, {}
        for wire in held:
            if self.random.random() < broken:
                wire.cut()
            else:
                wire.go_on()

    def slow(self, uuid: str, span: Span | None) -> None:
        """All that goes to and from a broker takes so much longer; None: no more."""
        if span is None:
            self._lags.pop(uuid.encode(), None)
        else:
            self._lags[uuid.encode()] = span

    # -- what links ask ---------------------------------------------------------------------------------------------

    def walled(self, one: bytes, other: bytes) -> Wall | None:
        """What stands between two brokers."""
        return next((wall for wall in self._walls if wall.between(one, other)), None)

    def hold(self, wire: Wire) -> None:
        """Something waits on a connection that is silent for a while."""
        self._held[wire] = None

    def time_for(self, lane: float, span: Span, *ends: bytes) -> float:
        """When a message arrives that is sent now: after a delay, and after all before it; 0 says at once."""
        now, delay = self.loop.time(), self.random.uniform(*span) if span[1] else 0.0
        if self._lags:
            delay += sum(self.random.uniform(*self._lags[end]) for end in ends if end in self._lags)
        return max(lane + TICK, now + delay) if delay or lane > now else 0.0

    def loses(self) -> bool:
        """Whether this event gets lost."""
        return bool(self.weather.loss) and self.random.random() < self.weather.loss

    def encodes(self) -> bool:
        """Whether this message goes through bytes."""
        self.messages += 1
        return bool(self.weather.encoded) and self.random.random() < self.weather.encoded


def _nothing(*what: object) -> None: ...


DEAF = Ears(_nothing, _nothing, _nothing)
"""The ears of the dead."""
