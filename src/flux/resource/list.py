"""What a scheduler has to give: all of it, and what is up, down, allocated, free (flux-resource(1), list)."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flux.base.hostlist import Hostlist
from flux.base.idset import Ids, IDset
from flux.resource.ResourceSet import ResourceSet
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

TOPIC = "resource.sched-status"
TOLD = ("all", "down", "allocated")


class SchedResourceList:
    """Resource sets by state: `all`, `down`, `allocated`, `up`, `free`, or by name: `resources["up"]`."""

    def __init__(self, resp: Mapping[str, Any]) -> None:
        self._sets: dict[str, ResourceSet] = {}
        for state in TOLD:
            self._sets[state] = ResourceSet(resp.get(state))
            self._sets[state].state = state

    @property
    def all(self) -> ResourceSet:
        """All that the scheduler knows."""
        return self._sets["all"]

    @property
    def down(self) -> ResourceSet:
        """What it cannot use: nodes that are down, or drained."""
        return self._sets["down"]

    @property
    def allocated(self) -> ResourceSet:
        """What jobs have."""
        return self._sets["allocated"]

    @property
    def up(self) -> ResourceSet:
        """What is not down."""
        return self._less("up", self.all, self.down)

    @property
    def free(self) -> ResourceSet:
        """What is up and not allocated."""
        return self._less("free", self.up, self.allocated)

    def __getitem__(self, state: str) -> ResourceSet:
        if state not in (*TOLD, "up", "free"):
            raise KeyError(state)
        found: ResourceSet = getattr(self, state)
        return found

    def filter(self, include: Ids | Hostlist) -> None:
        """Keeps only some ranks, or hosts. ValueError for what is neither."""
        ranks = ranks_of(include, self.all)
        self._sets = {state: some.copy_ranks(ranks) for state, some in self._sets.items()}

    def copy_constraint(self, constraint: str | Mapping[str, Any]) -> "SchedResourceList":
        """The same of nodes that match a constraint (RFC 31). Those that are allocated are found by the properties of
        all, which the R of a job may lack."""
        matching = self.all.copy_constraint(constraint).ranks
        return SchedResourceList({state: some.copy_ranks(matching) for state, some in self._sets.items()})

    def _less(self, state: str, some: ResourceSet, others: ResourceSet) -> ResourceSet:
        left = some - others
        left.state = state
        return left


def ranks_of(include: Any, resources: ResourceSet) -> IDset:
    """Ranks as they are, or those of hosts that are in a set. ValueError for what is neither."""
    try:
        return IDset(include)
    except (ValueError, TypeError):
        return IDset(resources.host_ranks(include, ignore_nomatch=True))


def topic() -> str:
    """What is to be asked."""
    return os.environ.get("FLUX_RESOURCE_LIST_RPC") or TOPIC


class ResourceListRPC(RPC):
    """Resources that are asked for. `resource_list` makes one."""

    def get(self) -> SchedResourceList:
        """What there is, when the answer has come. OSError says why not."""
        return SchedResourceList(super().get())


def resource_list(flux_handle: "Flux") -> ResourceListRPC:
    """Asks what there is (RFC 20), and what of it is up, down, allocated, free (flux-resource(1), list).

    Returns a future, whose `get` gives a `SchedResourceList`. FLUX_RESOURCE_LIST_RPC names another topic to ask, for
    tests.
    """
    return ResourceListRPC(flux_handle, topic(), nodeid=0)
