"""The jobs that wait for resources, in the order in which they are considered. Pure."""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from dataclasses import dataclass, field

from flux.base.constraint import Constraint
from flux.base.jobspec import Resources

Kind = tuple[str, object]
"""A queue, and what jobs want that are alike."""
Place = tuple[int, float, int]
FIRST: Place = (-(1 << 62), 0.0, 0)
"""Before everybody."""


@dataclass(slots=True, eq=False)
class Waiting:
    """One job that wants resources."""

    id: int
    priority: int
    submitted: float
    wanted: Resources
    duration: float = 0.0
    """Seconds; 0 is no limit."""
    constraint: Constraint | None = None
    queue: str = ""
    """Those of one queue do not stand in the way of another's."""
    kind: object = None
    """Equal for jobs that want the same: when one of them cannot start, the others cannot either."""
    place: Place = field(default=FIRST)

    def __post_init__(self) -> None:
        self.place = (-self.priority, self.submitted, self.id)


class Line:
    """Jobs by priority, then by when they were submitted. One that is held (priority 0) is not in it."""

    def __init__(self) -> None:
        self.kinds = Counter[Kind]()
        """How many there are of each queue and kind."""
        self._jobs: dict[int, Waiting] = {}
        self._order: list[Place] = []

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, id: int) -> bool:
        return id in self._jobs

    def after(self, place: Place) -> Waiting | None:
        """The next job after that place, whoever has come or gone since somebody was there."""
        at = bisect_right(self._order, place)
        return self._jobs[self._order[at][2]] if at < len(self._order) else None

    def before(self, id: int) -> int:
        """How many are before a job."""
        return bisect_left(self._order, self._jobs[id].place)

    def get(self, id: int) -> Waiting | None:
        """A job, if it is here."""
        return self._jobs.get(id)

    def add(self, job: Waiting) -> None:
        """A job comes; one of that id that was there goes."""
        self.remove(job.id)
        self._jobs[job.id] = job
        self.kinds[job.queue, job.kind] += 1
        insort(self._order, job.place)

    def remove(self, id: int) -> Waiting | None:
        """A job goes; returns it if it was there."""
        job = self._jobs.pop(id, None)
        if job is not None:
            del self._order[bisect_left(self._order, job.place)]
            self._forget((job.queue, job.kind))
        return job

    def _forget(self, kind: Kind) -> None:
        self.kinds[kind] -= 1
        if not self.kinds[kind]:
            del self.kinds[kind]

    def move(self, id: int, priority: int) -> None:
        """A job has another priority."""
        job = self.remove(id)
        if job is not None:
            job.priority = priority
            job.place = (-priority, job.submitted, job.id)
            self.add(job)
