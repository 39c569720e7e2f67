"""Who looks at what the services of this broker send and get. As long as nobody does, it costs nothing."""

from collections.abc import Callable

from flux.broker.hops import Deliver
from flux.service.kit import Service
from flux.wire.message import Message

Heard = Callable[[str, str, Message], None]
"""Gets "tx" or "rx", the service's name, and the message, which it must not change."""


class Tap:
    """Stands between the broker and its services while somebody listens."""

    def __init__(self, services: dict[bytes, Service], hops: dict[bytes | str, Deliver]) -> None:
        self._services, self._hops = services, hops
        self._listeners: list[Heard] = []
        self.on = False
        """Whether somebody listens."""

    def listen(self, heard: Heard) -> None:
        """From now on `heard` is told every message."""
        self._listeners.append(heard)
        self._place_all()

    def leave(self, heard: Heard) -> None:
        """It is told no more."""
        if heard in self._listeners:
            self._listeners.remove(heard)
            self._place_all()

    def place(self, service: Service) -> None:
        """Says how a service gets its messages now: past the listeners, or at once."""
        self._hops[service.id] = self._deliver(service) if self.on else service.deliver

    def sent(self, sender: bytes, msg: Message) -> None:
        """Somebody on this broker sends a message; listeners are told if it is a service."""
        service = self._services.get(sender)
        if service is not None:
            self._tell("tx", service, msg)

    def _place_all(self) -> None:
        self.on = bool(self._listeners)
        for service in self._services.values():
            self.place(service)

    def _deliver(self, service: Service) -> Deliver:
        def deliver(msg: Message) -> None:
            self._tell("rx", service, msg)
            service.deliver(msg)

        return deliver

    def _tell(self, prefix: str, service: Service, msg: Message) -> None:
        for heard in list(self._listeners):
            heard(prefix, service.name, msg)
