"""`broker`: the broker answers for itself. Nearly all it has to say, ping and rusage, is in the kit."""

from typing import ClassVar

from flux.service import Call, Service, request

MOMENT = 0.05
"""Seconds that an answer has to leave before its broker ends."""


class BrokerService(Service):
    """Answers broker.ping and the other default methods."""

    name: ClassVar[str] = "broker"

    @request()
    def panic(self, call: Call, *, reason: str) -> None:
        """Ends this broker at once, in no order: to try what others make of it (2016's cmb.panic)."""
        self.host.after(MOMENT, lambda: self.host.port("panic")(reason))
