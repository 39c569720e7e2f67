"""The events of all jobs, in one stream (RFC 21; job-manager.events-journal)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flux.base.jobid import ANY, JobID
from flux.job.consumer import JournalConsumerBase, JournalEventBase

if TYPE_CHECKING:
    from flux.core.handle import Flux

TOPIC = "job-manager.events-journal"


class JournalEvent(JournalEventBase):
    """An event of a job: `jobid`, `name`, `timestamp` (seconds since 1970), `context`; that of "submit" has the job's
    `jobspec`, that of "alloc" its `R`, else they are None."""

    def __init__(self, jobid: int, event: dict[str, Any], jobspec: Any = None, R: Any = None) -> None:
        super().__init__(event)
        self.jobid = JobID(jobid if jobid >= 0 else ANY)
        self.jobspec = jobspec if self.get("name") == "submit" else None
        self.R = R if self.get("name") == "alloc" else None

    def __str__(self) -> str:
        if self.is_empty():
            return "-1: End of historical data stream"
        parts = [f"{self.jobid.f58}:", f"{self.timestamp:<0.5f}", self.name, self.context_string]
        parts += [f"jobspec={self.jobspec}"] if self.jobspec else []
        parts += [f"R={self.R}"] if self.R else []
        return " ".join(filter(None, parts))


SENTINEL_EVENT = JournalEvent(-1, {})
"""Stands between events that were and those that come, for a consumer that wants it."""


def events_of(answer: Mapping[str, Any]) -> list[JournalEventBase]:
    """The events of an answer of the journal."""
    id, jobspec, R = answer.get("id", -1), answer.get("jobspec"), answer.get("R")
    return [JournalEvent(id, entry, jobspec, R) for entry in answer["events"]]


class JournalConsumer(JournalConsumerBase):
    """Follows the events of all jobs: `start`, then `poll` again and again, or `set_callback`; `stop` ends it.

    For the instance owner alone.
    """

    SENTINEL_EVENT = SENTINEL_EVENT

    def __init__(
        self, flux_handle: "Flux", full: bool = True, since: float = 0.0, include_sentinel: bool = False
    ) -> None:
        """`full`: also what was, sorted by time (of active jobs in any case). `since`: only what is later,
        in seconds since 1970. `include_sentinel`: an empty event between what was and what comes."""
        super().__init__(flux_handle, TOPIC, full=full, since=since, include_sentinel=include_sentinel)

    @property
    def request_payload(self) -> dict[str, Any]:
        """Whether what was is wanted, too."""
        return {"full": self.full}

    def process_response(self, resp: Mapping[str, Any]) -> dict[str, Any]:
        """What an answer says of its job."""
        return {"jobid": resp.get("id", -1), "jobspec": resp.get("jobspec"), "R": resp.get("R")}

    def create_event(self, entry: dict[str, Any], **kwargs: Any) -> JournalEvent:
        """Makes an event."""
        return JournalEvent(kwargs.pop("jobid"), entry, **kwargs)
