"""`broker`: the broker answers for itself. Everything it has to say, ping and rusage, is in the kit."""

from typing import ClassVar

from flux.service import Service


class BrokerService(Service):
    """Answers broker.ping and the other default methods."""

    name: ClassVar[str] = "broker"
