"""How the tasks of a job ended, and what the job ends with: the highest exit code. Pure."""

from typing import Any

from flux.base.idset import IDset
from flux.base.waitstatus import exit_code


class Exits:
    """Tasks by wait status."""

    def __init__(self) -> None:
        self._tasks: dict[int, IDset] = {}

    def add(self, tasks: int | str, status: int) -> None:
        """So these ended."""
        self._tasks.setdefault(status, IDset()).add(IDset(tasks))

    def merge(self, report: dict[str, Any]) -> None:
        """Takes another's report."""
        for status, tasks in report["exits"].items():
            self.add(tasks, int(status))

    @property
    def status(self) -> int:
        """The wait status with the highest exit code."""
        return max(self._tasks, key=exit_code, default=0)

    def report(self) -> dict[str, Any]:
        """The status, and the tasks (RFC 22) by wait status."""
        return {"status": self.status, "exits": {str(status): str(ids) for status, ids in self._tasks.items()}}
