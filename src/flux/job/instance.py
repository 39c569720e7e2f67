"""What is known of a job that is a Flux instance: its resources and its jobs."""

from typing import TYPE_CHECKING, Any

from flux.job.annotations import JobURI, Nothing

if TYPE_CHECKING:
    from flux.core.handle import Flux


class InstanceInfo:
    """Asked when it is made: `stats` (a `JobStats`), `resources` (all, up, down, allocated, free), `utilization`,
    `gpu_utilization`, `progress` (0 to 1). All is empty if nobody answers."""

    def __init__(self, uri: JobURI | None = None) -> None:
        self.initialized = False
        self.stats: Any = Nothing()
        self.resources: Any = Nothing()
        if uri is None:
            return
        from flux.core.handle import Flux

        try:
            with Flux(str(uri.local)) as handle:
                self._ask(handle)
        except OSError:
            return

    def _ask(self, handle: "Flux") -> None:
        from flux.job.stats import JobStats
        from flux.resource import resource_list

        asked = resource_list(handle)
        self.stats = JobStats(handle).update_sync()
        self.resources = asked.get()
        self.initialized = True

    @property
    def utilization(self) -> Any:
        """The part of its cores that jobs have."""
        return self._share("ncores")

    @property
    def gpu_utilization(self) -> Any:
        """The part of its GPUs that jobs have."""
        return self._share("ngpus")

    @property
    def progress(self) -> Any:
        """The part of its jobs that is over."""
        return self.stats.inactive / self.stats.total if self.initialized and self.stats.total else ""

    def _share(self, kind: str) -> Any:
        if not self.initialized or not getattr(self.resources.all, kind):
            return ""
        return getattr(self.resources.allocated, kind) / getattr(self.resources.all, kind)
