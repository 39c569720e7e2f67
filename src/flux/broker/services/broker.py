"""`broker`: the broker answers for itself: ping and rusage are the kit's, here is what it has carried."""

import os
from typing import Any, ClassVar

from flux.broker.broker import Broker
from flux.broker.traffic import named
from flux.runtime import installation
from flux.service import ALL, Call, Service, request
from flux.wire.message import USER

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

    @request("conf-builtin", allow=USER)
    def built_in(self, call: Call, *, keys: list[str]) -> dict[str, Any]:
        """Where this Flux has its parts (`flux config builtin`). OSError(EINVAL) for what it does not have."""
        return {"values": {key: installation.value(key) for key in keys}}

    @request()
    def getenv(self, call: Call, *, names: list[str]) -> dict[str, Any]:
        """Those variables of the broker's environment that are set."""
        return {"env": {name: os.environ[name] for name in names if name in os.environ}}

    @request()
    def setenv(self, call: Call, *, env: dict[str, str | None]) -> None:
        """Sets variables of the broker's environment, which what it starts inherits; null unsets one."""
        for name, value in env.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def clear_stats(self) -> None:
        """Sets the counts to 0, those of neighbours too; modules' are their own."""
        super().clear_stats()
        self.host.port("neighbours").traffic.clear()
