"""The neighbours of one broker by address: services, clients and brokers, each with the way to hand it a message."""

from collections.abc import Callable
from typing import Protocol

from flux.wire.message import Event, Message

Deliver = Callable[[Message], None]


class Links(Protocol):
    """The overlay networks, as the broker uses them: ZeroMQ's sockets, or a simulation's memory."""

    def send(self, link: bytes, msg: Message, mark: int) -> None: ...
    def publish(self, msg: Message) -> None: ...
    def disconnect(self, link: bytes) -> None: ...
    def close(self) -> None: ...


class Subscriptions:
    """Which neighbours hear which events, by prefix of the topic."""

    def __init__(self) -> None:
        self._prefixes: dict[str, dict[bytes, int]] = {}

    def add(self, prefix: str, hop: bytes) -> None:
        """Counts one more subscription."""
        hops = self._prefixes.setdefault(prefix, {})
        hops[hop] = hops.get(hop, 0) + 1

    def remove(self, prefix: str, hop: bytes) -> None:
        """Counts one less."""
        hops = self._prefixes.get(prefix, {})
        if hop in hops:
            hops[hop] -= 1
            if not hops[hop]:
                del hops[hop]
            if not hops:
                del self._prefixes[prefix]

    def drop(self, hop: bytes) -> None:
        """Forgets all subscriptions of a neighbour."""
        for prefix, hops in list(self._prefixes.items()):
            hops.pop(hop, None)
            if not hops:
                del self._prefixes[prefix]

    def hearers(self, event: Event) -> dict[bytes, None]:
        """Who hears that event, in an order that every run of a simulation has."""
        topic = event.topic
        return {hop: None for prefix, hops in self._prefixes.items() if topic.startswith(prefix) for hop in hops}
