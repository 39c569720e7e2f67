"""Tree and event overlays in memory: every link in order, each with a delay of its own, events lost by chance."""

import asyncio
from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple

from flux.overlay.router import LEEWARD, RINGWARD, UPWARD
from flux.runtime.wiring import Ears
from flux.wire.codec import decode, encode
from flux.wire.message import Event, Message


class Weather(NamedTuple):
    """What a network does to messages: delays in seconds (least and most), and the share of events that it loses."""

    tree: tuple[float, float] = (0.0, 0.0)
    event: tuple[float, float] = (0.0, 0.0)
    loss: float = 0.0
    encoded: float = 0.0
    """The share of messages that really go through bytes."""


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

    def links(self, uuid: str, ears: Ears) -> "MemoryLinks":
        """The links of one broker."""
        end = self.ends[uuid.encode()] = MemoryLinks(self, uuid.encode(), ears)
        return end

    def kill(self, uuid: str) -> None:
        """A broker is gone from one moment to the next; its neighbours notice."""
        end = self.ends.pop(uuid.encode())
        for link in sorted(end.neighbours):
            other, there = end.across(link)
            if other is not None and there in other.neighbours:
                other.neighbours.discard(there)
                self.loop.call_later(self._delay(self.weather.tree), other.ears.lost, there, "connection lost")
        end.neighbours.clear()

    def carry(
        self, msg: Message, lane: list[float], span: tuple[float, float], arrive: Callable[[Message], None]
    ) -> None:
        """Lets a message arrive after a delay, and after all before it on the same lane."""
        self.messages += 1
        if self.weather.encoded and self.random.random() < self.weather.encoded:
            msg = decode(encode(msg))
        if not span[1]:
            self.loop.call_soon(arrive, msg)
            return
        lane[0] = max(lane[0] + TICK, self.loop.time() + self._delay(span))
        self.loop.call_at(lane[0], arrive, msg)

    def _delay(self, span: tuple[float, float]) -> float:
        return self.random.uniform(*span)


class MemoryLinks:
    """One broker's links: what `Wiring` is over ZeroMQ."""

    def __init__(self, network: Network, uuid: bytes, ears: Ears) -> None:
        self.uuid, self.ears = uuid, ears
        self.neighbours: set[bytes] = set()
        self._network = network
        self._children: set[bytes] = set()
        self._lanes: dict[tuple[bytes, str], list[float]] = {}

    def connect(self, parent: str) -> None:
        """Connects to a parent by its uuid; one that is gone is noticed as lost."""
        other = self._network.ends.get(parent.encode())
        if other is None:
            self._network.loop.call_soon(self.ears.lost, UPWARD + parent.encode(), "no such broker")
            return
        self.neighbours.add(UPWARD + other.uuid)
        other.neighbours.add(self.uuid)
        other._children.add(self.uuid)

    def connect_ring(self, other: str) -> None:
        """Connects to the next broker on the ring."""
        there = self._network.ends.get(other.encode())
        if there is None:
            self._network.loop.call_soon(self.ears.lost, RINGWARD + other.encode(), "no such broker")
            return
        self.neighbours.add(RINGWARD + there.uuid)
        there.neighbours.add(LEEWARD + self.uuid)

    def send(self, link: bytes, msg: Message, mark: int) -> None:
        """Sends a message to a neighbour, if it is one."""
        if link in self.neighbours:
            lane, span = self._lane(link, "tree"), self._network.weather.tree
            self._network.carry(msg, lane, span, lambda msg: self._arrive(link, msg, mark))

    def publish(self, msg: Message) -> None:
        """Sends an event to all children; some of them may not get it."""
        network = self._network
        for child in sorted(self._children & self.neighbours):  # a set's order is another one in each process
            if network.weather.loss and network.random.random() < network.weather.loss:
                continue
            arrive = partial(self._arrive_at, child)
            network.carry(msg, self._lane(child, "event"), network.weather.event, arrive)

    def disconnect(self, link: bytes) -> None:
        """Gives up a link."""
        self.neighbours.discard(link)
        self._children.discard(link)
        other, there = self.across(link)
        if other is not None and there in other.neighbours:
            other.neighbours.discard(there)
            self._network.loop.call_soon(other.ears.lost, there, "connection lost")

    def across(self, link: bytes) -> "tuple[MemoryLinks | None, bytes]":
        """Who is at the other end of a link, and what the link is called there."""
        way = link[:1]
        if way == RINGWARD:
            return self._network.ends.get(link[1:]), LEEWARD + self.uuid
        if way == LEEWARD:
            return self._network.ends.get(link[1:]), RINGWARD + self.uuid
        if way == UPWARD:
            return self._network.ends.get(link[1:]), self.uuid
        return self._network.ends.get(link), UPWARD + self.uuid

    def close(self) -> None:
        """Gives up all links."""
        for link in sorted(self.neighbours):
            self.disconnect(link)
        self._network.ends.pop(self.uuid, None)

    def _lane(self, link: bytes, kind: str) -> list[float]:
        return self._lanes.setdefault((link, kind), [0.0])

    def _arrive_at(self, child: bytes, msg: Message) -> None:
        self._arrive(child, msg, 0)

    def _arrive(self, link: bytes, msg: Message, mark: int) -> None:
        other, there = self.across(link)
        if other is not None and there in other.neighbours:
            other.ears.receive(_own(msg), there, mark)


def _own(msg: Message) -> Message:
    """A message that nobody else holds: an event goes to several brokers."""
    return (
        msg
        if not isinstance(msg, Event)
        else Event(msg.userid, msg.rolemask, msg.flags, msg.topic, msg.data, msg.sequence)
    )
