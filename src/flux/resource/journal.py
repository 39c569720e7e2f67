"""What happens to resources (RFC 44; resource.journal): nodes come and go, are drained and undrained."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flux.job.consumer import JournalConsumerBase, JournalEventBase

if TYPE_CHECKING:
    from flux.core.handle import Flux

TOPIC = "resource.journal"


class ResourceJournalEvent(JournalEventBase):
    """An event: `name`, `timestamp` (seconds since 1970), `context`; `R` is what there was when it was told."""

    def __init__(self, event: dict[str, Any], R: Any = None) -> None:
        super().__init__(event)
        self.R = R


class ResourceJournalConsumer(JournalConsumerBase):
    """Follows these events: `start`, then `poll` again and again, or `set_callback`; `stop` ends it."""

    def __init__(self, flux_handle: "Flux", since: float = 0.0, include_sentinel: bool = False) -> None:
        """`since`: only what is later, in seconds since 1970; `include_sentinel`: an empty event between what was and
        what comes."""
        super().__init__(flux_handle, TOPIC, full=True, since=since, include_sentinel=include_sentinel)

    def process_response(self, resp: Mapping[str, Any]) -> dict[str, Any]:
        """What an answer has besides events."""
        return {"R": resp.get("R")}

    def create_event(self, entry: dict[str, Any], **kwargs: Any) -> ResourceJournalEvent:
        """Makes an event."""
        return ResourceJournalEvent(entry, **kwargs)
