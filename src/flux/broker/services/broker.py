"""`broker`: the broker answers for itself: ping and rusage are the kit's, here is what it has carried."""

from typing import Any, ClassVar

from flux.broker.broker import Broker
from flux.broker.traffic import named
from flux.service import ALL, Call, Service, request

MOMENT = 0.05
"""Seconds that an answer has to leave before its broker ends."""


class BrokerService(Service):
    """Answers broker.ping and the other default methods."""

    name: ClassVar[str] = "broker"

    @request()
    def panic(self, call: Call, *, reason: str) -> None:
        """Ends this broker at once, in no order: to try what others make of it (2016's cmb.panic)."""
        self.host.after(MOMENT, lambda: self.host.port("panic")(reason))

    @request(allow=ALL)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Messages by kind: of this service, of each module, and of each neighbour on the tree, by its rank.

        `published` are events for all children. A parent is named so, for its rank is not known.
        """
        broker: Broker = self.host.port("neighbours")
        node, traffic = broker.node, broker.traffic
        links = {str(node.children.rank(link)): traffic.of(link) for link in node.children}
        if node.parent is not None:
            links = {"parent": traffic.of(node.parent)} | links
        modules = {
            service.name: {"tx": named(service.sent), "rx": named(service.received)}
            for service in broker.services.values()
        }
        return super().stats_get(call) | {"modules": modules, "links": links, "published": traffic.published}

    def clear_stats(self) -> None:
        """Sets the counts to 0, those of neighbours too; modules' are their own."""
        super().clear_stats()
        self.host.port("neighbours").traffic.clear()
