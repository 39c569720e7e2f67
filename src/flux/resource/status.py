"""Which nodes are there, and what is to be said of them (flux-resource(1), status and drain)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from flux.base.hostlist import Hostlist
from flux.base.idset import Ids, IDset
from flux.resource.list import ranks_of, resource_list
from flux.resource.ResourceSet import ResourceSet
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

STATUS, MANAGER = "resource.status", "job-manager.stats-get"
NOTHING: dict[str, Any] = {"R": None, "offline": "", "online": "", "exclude": "", "torpid": "", "drain": {}}


class DrainInfo(NamedTuple):
    """Why some ranks are drained, and since when: seconds since 1970."""

    ranks: IDset
    timestamp: float
    reason: str


class ResourceStatus:
    """Ranks by what is to be said of them, as idsets: `all`, `online`, `offline`, `exclude`, `torpid`, `allocated`,
    `housekeeping`; `drained` (nothing runs there any more), `draining` (something still does); `avail` is the rest.
    Also by name: `status["drained"]`. `nodelist` has the hosts of all, `drain_info` a `DrainInfo` for each reason."""

    def __init__(
        self,
        rstatus: Mapping[str, Any] | None = None,
        allocated_ranks: IDset | None = None,
        housekeeping_ranks: IDset | None = None,
    ) -> None:
        self.rstatus = NOTHING if rstatus is None else rstatus
        self.rset = ResourceSet(self.rstatus["R"])
        self.nodelist = self.rset.nodelist
        self._allocated = allocated_ranks or IDset()
        self._housekeeping = housekeeping_ranks or IDset()
        self._of(self.rset.ranks)

    def filter(self, include: Ids | Hostlist) -> None:
        """Keeps only some ranks, or hosts. ValueError for what is neither."""
        self._of(ranks_of(include, self.rset))

    def _of(self, ranks: IDset) -> None:
        told = self.rstatus
        self.all = self.rset.ranks.intersect(ranks)
        self.offline, self.online, self.exclude, self.torpid = (
            IDset(told.get(name) or "").intersect(ranks) for name in ("offline", "online", "exclude", "torpid")
        )
        self.allocated, self.housekeeping = self._allocated.intersect(ranks), self._housekeeping.intersect(ranks)
        self.drain_info = [
            DrainInfo(IDset(some).intersect(ranks), entry["timestamp"], entry["reason"])
            for some, entry in told["drain"].items()
        ]
        drain = IDset().union(*(info.ranks for info in self.drain_info))
        self.draining, self.drained = drain.intersect(self.allocated), drain.difference(self.allocated)
        self.avail = self.all.difference(self.exclude, drain, self.torpid)

    def __getitem__(self, state: str) -> IDset:
        found: IDset = getattr(self, state)
        return found

    def get_idset(self, *args: str) -> IDset:
        """The ranks of which any of these is to be said."""
        return IDset().union(*(self[state] for state in args))

    def get_drain_info(self, rank: int) -> DrainInfo | None:
        """Why a rank is drained; None if it is not. ValueError for a rank that there is not."""
        if rank not in self.all:
            raise ValueError(f"invalid rank {rank}")
        return next((info for info in self.drain_info if rank in info.ranks), None)


def in_housekeeping(stats: Mapping[str, Any]) -> IDset:
    """The ranks in housekeeping, of the job manager's statistics."""
    running = (stats.get("housekeeping") or {}).get("running") or {}
    return IDset().union(*(info["allocated"] for info in running.values()))


class ResourceStatusRPC:
    """A status that is asked for, of the resource service, the scheduler and the job manager."""

    def __init__(self, handle: "Flux") -> None:
        self._status = RPC(handle, STATUS, nodeid=0)
        self._list = resource_list(handle)
        self._manager = RPC(handle, MANAGER, nodeid=0)

    def get(self) -> ResourceStatus:
        """The status, when all have answered. Without a scheduler, or a job manager, nothing is allocated."""
        return ResourceStatus(self.get_status(), self.get_allocated_ranks(), self.get_housekeeping_ranks())

    def get_status(self) -> dict[str, Any]:
        """What the resource service says. OSError says why it does not."""
        return dict(self._status.get())

    def get_allocated_ranks(self) -> IDset:
        """The ranks that jobs have something of."""
        try:
            return self._list.get().allocated.ranks
        except OSError:
            return IDset()

    def get_housekeeping_ranks(self) -> IDset:
        """The ranks that are in housekeeping after a job."""
        try:
            return in_housekeeping(self._manager.get())
        except OSError:
            return IDset()


def resource_status(flux_handle: "Flux") -> ResourceStatusRPC:
    """Asks which nodes are there, and what is to be said of them (flux-resource(1), status).

    `get` of what it returns gives a `ResourceStatus`. OSError if nobody tells; EPERM for who may not ask.
    """
    return ResourceStatusRPC(flux_handle)
