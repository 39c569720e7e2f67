"""Several fake hosts as a tree: requests go up to the parent, to a rank, and back; events reach all."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from flux.overlay.topology import topology
from flux.service.kit import Service
from flux.testing.host import FakeHost
from flux.testing.virtual import VirtualLoop
from flux.wire.message import Event


class FakeTree:
    """`tree[rank]` is a FakeHost. Messages between hosts take a turn of the loop each, in order."""

    def __init__(
        self,
        size: int,
        attributes: Mapping[str, str] | None = None,
        *,
        topo: str = "kary:2",
        ports: Mapping[str, Any] | None = None,
    ) -> None:
        shape = topology(topo, size)
        self.hosts = [FakeHost(attributes, rank=rank, size=size, ports=ports) for rank in range(size)]
        for host in self.hosts:
            parent = shape.parent(host.rank)
            if parent is not None:
                self._join(host, self.hosts[parent])
            host.announce = self._announce
            host.toward = lambda rank, host=host: self._toward(host, rank)  # type: ignore[misc]
            host.ports["below"] = lambda rank, host=host: self._below(host, rank)

    def __getitem__(self, rank: int) -> FakeHost:
        return self.hosts[rank]

    async def load(self, kind: type[Service]) -> None:
        """Brings a service up on every host, rank 0 first."""
        for host in self.hosts:
            await host.load(kind)

    def cut(self, rank: int) -> None:
        """The link between a host and its parent is lost; both know."""
        child = self.hosts[rank]
        parent, child.up = child.up, None
        assert parent is not None
        self._unlink(parent, child)
        self._unlink(child, parent)

    def adopt(self, rank: int, parent: int) -> None:
        """A host that was cut off gets another parent."""
        child = self.hosts[rank]
        self._join(child, self.hosts[parent])
        for service in set(child.services.values()):
            service.parent_changed()

    def _join(self, child: FakeHost, parent: FakeHost) -> None:
        child.up = parent
        for here, there in ((child, parent), (parent, child)):
            here.hops[there.uuid.encode()] = lambda msg, here=here, there=there: self._carry(msg, here, there)  # type: ignore[misc]

    def _unlink(self, here: FakeHost, there: FakeHost) -> None:
        here.hops.pop(there.uuid.encode())
        for service in set(here.services.values()):
            service.link_lost(there.uuid.encode())

    def _carry(self, msg: Any, here: FakeHost, there: FakeHost) -> None:
        asyncio.get_running_loop().call_soon(there.send, msg, here.uuid.encode())

    def _announce(self, event: Event) -> None:
        asyncio.get_running_loop().call_soon(self._spread, event)

    def _spread(self, event: Event) -> None:
        for host in self.hosts:
            host.hear(event)

    def _toward(self, host: FakeHost, rank: int) -> FakeHost | None:
        """The neighbour on the way: the parent unless the rank is below."""
        if not 0 <= rank < len(self.hosts):
            return None
        below = self._below(host, rank)
        return host.up if below is None else self.hosts[below]

    def _below(self, host: FakeHost, rank: int) -> int | None:
        """The child on the way to a rank, if it is below."""
        below: FakeHost | None = self.hosts[rank]
        while below is not None and below.up is not host:
            below = below.up
        return None if below is None else below.rank


def grow(scenario: Callable[[FakeTree], Awaitable[None]], kind: type[Service], tree: FakeTree) -> FakeTree:
    """Runs a scenario on virtual time with a service on every host of a tree."""

    async def session() -> None:
        await tree.load(kind)
        await scenario(tree)
        for host in reversed(tree.hosts):
            await host.unload(kind.name)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(session())
    return tree
