"""What a job came to, by its events (RFC 21). Pure: a fold."""

from collections.abc import Mapping
from typing import Any

from flux.base.jobid import JobID
from flux.base.jobstate import Result

TIMES = {"submit": "t_submit", "alloc": "t_run", "finish": "t_cleanup"}


class Outcome:
    """Is told the events of one job, in order."""

    def __init__(self, id: JobID) -> None:
        self.id = id
        self._told: dict[str, Any] = {"id": id, "exception_occurred": False}

    def apply(self, event: Mapping[str, Any]) -> None:
        """Takes an event."""
        name, context = event["name"], event.get("context") or {}
        if name in TIMES:
            self._told[TIMES[name]] = event["timestamp"]
        if name == "finish":
            self._told["waitstatus"] = context["status"]
        elif name == "exception" and context["severity"] <= self._told.get("exception_severity", 7):
            self._told |= {
                "exception_occurred": True,
                "exception_severity": context["severity"],
                "exception_type": context["type"],
                "exception_note": context.get("note", ""),
            }

    def told(self) -> dict[str, Any]:
        """What is known, under the names that job-list has (RFC 43)."""
        return self._told | {"result": int(self.result)}

    @property
    def result(self) -> Result:
        """How it ended, if this was all."""
        if self._told.get("t_run") and self._told.get("waitstatus") == 0:
            return Result.COMPLETED
        ends = {"cancel": Result.CANCELED, "timeout": Result.TIMEOUT}
        return ends.get(self._told.get("exception_type", ""), Result.FAILED)
