"""`overlay`: what a broker knows of the tree, by today's topics. What brokers say to each other is elsewhere."""

from errno import EINVAL
from typing import Any, ClassVar

from flux.overlay.node import Node
from flux.overlay.routes import Claim
from flux.overlay.topology import Kary
from flux.service import Call, Service, request
from flux.wire.message import USER


class OverlayService(Service):
    """Shows the tree."""

    name: ClassVar[str] = "overlay"

    @request(allow=USER)
    def topology(self, call: Call, *, rank: int) -> dict[str, Any]:
        """The tree below `rank`, as it was wired at the start."""
        tree: Kary = self.host.port("topology")
        if not 0 <= rank < self.host.size:
            raise OSError(EINVAL, f"no rank {rank} in this instance")
        return _below(tree, rank)

    @request()
    def open(self, call: Call) -> dict[str, Any]:
        """Listens, where this broker has not had to yet, and says where (ours, for other brokers)."""
        return {"rank": self.host.rank, "uuid": self.host.uuid, "card": self.host.port("open")()}

    @request()
    async def reparent(self, call: Call, *, rank: int) -> None:
        """Moves this broker below another rank; what is open over the old link is still answered."""
        if not 0 <= rank < self.host.size:
            raise OSError(EINVAL, f"no rank {rank} in this instance")
        uplink = self.host.port("uplink")
        uplink.check(rank)
        found = await self.rpc("overlay.open", {}, nodeid=rank)
        await uplink.move(Claim(rank, found["uuid"], 0, found["card"]))

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


def _below(tree: Kary, rank: int) -> dict[str, Any]:
    return {
        "rank": rank,
        "size": tree.descendants(rank) + 1,
        "children": [_below(tree, child) for child in tree.children(rank)],
    }
