"""How many jobs there are in each state, in all and by queue. Pure."""

from typing import Any

from flux.base.jobstate import Result, State
from flux.modules.job_list.record import Record

STATES = (State.DEPEND, State.PRIORITY, State.SCHED, State.RUN, State.CLEANUP, State.INACTIVE)
ENDS = {Result.FAILED: "failed", Result.CANCELED: "canceled", Result.TIMEOUT: "timeout", Result.COMPLETED: "successful"}


class Counts:
    """Of one queue, or of all jobs."""

    def __init__(self) -> None:
        self._states = dict.fromkeys(STATES, 0)
        self._ends = dict.fromkeys(ENDS.values(), 0)
        self.purged = 0

    def add(self, state: State, result: Result | None, by: int) -> None:
        """So many more, or fewer, in a state."""
        if state in self._states:
            self._states[state] += by
        if result is not None:
            self._ends[ENDS[result]] += by

    def described(self) -> dict[str, Any]:
        """As job-list.job-stats has it."""
        states = {(state.name or "").lower(): count for state, count in self._states.items()}
        return {"job_states": states | {"total": sum(states.values())}, **self._ends, "inactive_purged": self.purged}


class Tally:
    """Kept as jobs change: nobody counts when somebody asks."""

    def __init__(self) -> None:
        self._all = Counts()
        self._queues: dict[str, Counts] = {}

    def move(self, record: Record, before: tuple[State, Result | None] | None) -> None:
        """A job has come from one state to another."""
        for counts in self._of(record):
            if before is not None:
                counts.add(*before, -1)
            counts.add(record.state, record.result, 1)

    def purge(self, record: Record) -> None:
        """A job is forgotten."""
        for counts in self._of(record):
            counts.add(record.state, record.result, -1)
            counts.purged += 1

    def described(self) -> dict[str, Any]:
        """All counts."""
        queues = [{"name": name, **counts.described()} for name, counts in sorted(self._queues.items())]
        return {**self._all.described(), "queues": queues}

    def _of(self, record: Record) -> list[Counts]:
        queue = record.get("queue")
        return [self._all, *([self._queues.setdefault(queue, Counts())] if queue else [])]
