"""How many jobs there are in each state (flux-jobs(1), --stats)."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

STATS = "job-list.job-stats"
STATES = ("depend", "priority", "sched", "run", "cleanup", "inactive", "total")
ENDS = ("successful", "failed", "timeout", "canceled", "inactive_purged")


class JobStats:
    """Counts of jobs: `depend`, `priority`, `sched`, `run`, `cleanup`, `inactive`, `total` by state; `successful`,
    `failed` (in whatever way), `timeout`, `canceled`, `inactive_purged` by how they ended; `pending`, `running`,
    `active`. All are -1 before the first update."""

    states, stats, derived_stats = STATES, ENDS, ("pending", "running", "active")

    def __init__(self, handle: "Flux | None", queue: str | Iterable[str] | None = None) -> None:
        """Of all jobs, or of those of a `queue` or several."""
        self.handle = handle
        self.queues = [] if queue is None else [queue] if isinstance(queue, str) else list(queue)
        self._counts = dict.fromkeys((*STATES, *ENDS, *self.derived_stats), -1)

    def __getattr__(self, name: str) -> int:
        if name.startswith("_") or name not in self._counts:
            raise AttributeError(f"JobStats has no '{name}'")
        return self._counts[name]

    def update(self, callback: Callable[..., Any] | None = None, **kwargs: Any) -> None:
        """Asks; when the handle's reactor has the answer it is taken, and `callback(stats, **kwargs)` called."""

        def answered(rpc: RPC) -> None:
            self.take(rpc.get())
            if callback is not None:
                callback(self, **kwargs)

        self._ask().then(answered)

    def update_sync(self) -> Self:
        """Asks, waits, and returns itself. ValueError for a queue that has had no jobs."""
        self.take(self._ask().get())
        return self

    def take(self, told: Mapping[str, Any]) -> None:
        """Takes an answer of job-list.job-stats. ValueError for a queue that has had no jobs."""
        parts: list[Mapping[str, Any]] = [told]
        if self.queues:
            known = {part["name"]: part for part in told["queues"]}
            missing = [name for name in self.queues if name not in known]
            if missing:
                raise ValueError(f"no stats available for queue {missing[0]}")
            parts = [known[name] for name in self.queues]
        counts = {name: sum(part["job_states"][name] for part in parts) for name in STATES}
        counts |= {name: sum(part[name] for part in parts) for name in ENDS}
        counts["failed"] += counts["timeout"] + counts["canceled"]
        counts["pending"] = counts["depend"] + counts["priority"] + counts["sched"]
        counts["running"] = counts["run"] + counts["cleanup"]
        counts["active"] = counts["total"] - counts["inactive"]
        self._counts = counts

    def _ask(self) -> RPC:
        assert self.handle is not None
        return RPC(self.handle, STATS, {})

    def __repr__(self) -> str:
        return f"PD:{self.pending} R:{self.running} CD:{self.successful} F:{self.failed}"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)
