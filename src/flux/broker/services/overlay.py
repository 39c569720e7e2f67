"""`overlay`: what a broker knows of the tree, by today's topics. What brokers say to each other is elsewhere."""

from errno import EINVAL
from typing import Any, ClassVar

from flux.base.config import Config
from flux.broker import tuning
from flux.broker.broker import Broker
from flux.overlay.lifecycle import State
from flux.overlay.node import Node
from flux.overlay.topology import Topology
from flux.service import Call, Service, request
from flux.wire.message import USER


class OverlayService(Service):
    """Shows the tree."""

    name: ClassVar[str] = "overlay"

    def configured(self, config: Config) -> None:
        """What can change while the broker runs, does: after which silence a child is torpid. -S is for the start."""
        start = self.host.port("life").state <= State.CONFIG_SYNC
        tree = tuning.settled(config, self.host.port("given") if start else {})
        tuning.describe_torpid(tree, self.host.attributes)

    @request()
    def disconnect_parent(self, call: Call, *, reason: str) -> None:
        """Gives up the parent, because somebody has found that it does not do its work."""
        node: Node = self.host.port("node")
        broker: Broker = self.host.port("neighbours")
        if node.parent is not None:
            if broker.links is not None:
                broker.links.disconnect(node.parent)
            broker.lost(node.parent, reason)

    @request(allow=USER)
    def topology(self, call: Call, *, rank: int) -> dict[str, Any]:
        """The tree below `rank`, as it was wired at the start."""
        tree: Topology = self.host.port("topology")
        if not 0 <= rank < self.host.size:
            raise OSError(EINVAL, f"no rank {rank} in this instance")
        return _below(tree, rank)

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Children, and the requests that wait for an answer from above or below."""
        node: Node = self.host.port("node")
        pending, parent = node.router.pending, node.parent
        return {
            "child-count": len(self.host.port("topology").children(self.host.rank)),
            "child-connected": len(node.children),
            "parent-count": 1 if node.joined else 0,
            "parent-rpc": pending.count(parent) if parent else 0,
            "child-rpc": sum(pending.count(child) for child in node.children),
            "event-sequence": node.events.last,
        }


def _below(tree: Topology, rank: int) -> dict[str, Any]:
    return {
        "rank": rank,
        "size": tree.descendants(rank) + 1,
        "children": [_below(tree, child) for child in tree.children(rank)],
    }
