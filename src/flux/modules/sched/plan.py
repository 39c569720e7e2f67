"""Who starts now, and when the others will: first come first served, with or without backfill. Pure, and in steps.

A job that has to wait gets a reservation: the earliest time at which it fits, and what it will have then. Whoever comes
after it may start before it only if that stays free for it. With no reservations (FCFS) nobody overtakes; with one for
the first of each queue it is EASY backfill; with one for each it is conservative. Jobs without a time limit never end.
"""

from collections.abc import Iterator, Mapping
from math import inf
from typing import NamedTuple

from flux.modules.sched.pool import Allocation, Pool
from flux.modules.sched.waiting import FIRST, Kind, Line, Waiting

LATE = 1e300
"""When what has no end ends: after all that has one."""
FCFS, EASY, CONSERVATIVE = 0, 1, 1 << 30
"""How many jobs of a queue get a reservation."""


class Running(NamedTuple):
    """What is allocated, and until when; LATE is not known."""

    end: float
    allocation: Allocation


class Reservation(NamedTuple):
    """What will be a job's."""

    start: float
    end: float
    allocation: Allocation


class Start(NamedTuple):
    """A job gets this now."""

    job: Waiting
    allocation: Allocation


class Never(NamedTuple):
    """A job cannot end before the instance does."""

    job: Waiting


Step = Start | Never | None


class Plan:
    """One pass over the line. `steps` yields what is to be done, None where nothing is: there it may be left."""

    def __init__(self, pool: Pool, running: Mapping[int, Running], now: float, *, depth: int, end: float = inf) -> None:
        self._pool, self._running, self._now, self._depth, self._end = pool, running, now, depth, end
        self._reserved: list[Reservation] = []
        self._blocked = dict[str, int]()
        """By queue: how many of it have to wait."""
        self._hopeless = set[Kind]()
        """The kinds of jobs of which none can start in this pass."""
        self._timeline: list[Running] | None = None
        self.estimates: dict[int, float] = {}
        """When those with a reservation will start, by id."""

    def steps(self, line: Line) -> Iterator[Step]:
        """Considers one job after the other. What starts is taken from the pool, and must leave the line."""
        place = FIRST
        while not self._in_vain(line) and (job := line.after(place)) is not None:
            place = job.place
            yield self._consider(job)

    def _in_vain(self, line: Line) -> bool:
        """Whether nobody can start any more, of whatever kind."""
        return len(self._hopeless) >= len(line.kinds) and line.kinds.keys() <= self._hopeless

    def _consider(self, job: Waiting) -> Step:
        kind = (job.queue, job.kind)
        if kind in self._hopeless:
            return None
        waiting = self._blocked.get(job.queue, 0)
        if waiting and not self._depth:
            self._hopeless.add(kind)
            return None
        ends = self._now + job.duration if job.duration else inf
        if ends > self._end and job.duration:
            return Never(job)
        allocation = self._find(job, self._now, ends)
        if allocation:
            self._pool.take(allocation)
            self._timeline = None
            return Start(job, allocation)
        self._blocked[job.queue] = waiting + 1
        if waiting < self._depth:
            self._reserve(job)
        if waiting + 1 >= self._depth and job.kind is not None:
            self._hopeless.add(kind)
        return None

    def _find(self, job: Waiting, start: float, end: float) -> Allocation:
        """What a job would have from `start` to `end`, around what is reserved."""
        if start == self._now and not self._reserved:
            return self._pool.find(job.wanted, job.constraint)
        return self._free(start, end).find(job.wanted, job.constraint)

    def _free(self, start: float, end: float) -> Pool:
        pool = self._pool.copy()
        for ended in self._ends():
            if ended.end > start:
                break
            pool.give(ended.allocation)
        for reserved in self._reserved:
            if reserved.start < end and reserved.end > start:
                pool.take(reserved.allocation)
        return pool

    def _ends(self) -> list[Running]:
        if self._timeline is None:
            self._timeline = sorted(self._running.values(), key=lambda running: running.end)
        return self._timeline

    def _reserve(self, job: Waiting) -> None:
        """Finds the first time at which a job fits; whoever then still runs must not be in its way."""
        times = {max(ended.end, self._now) for ended in self._ends()}
        times |= {reserved.end for reserved in self._reserved if reserved.end < inf}
        for start in sorted(times):
            end = start + job.duration if job.duration else inf
            allocation = self._find(job, start, end)
            if allocation:
                self._reserved.append(Reservation(start, end, allocation))
                if start < LATE:
                    self.estimates[job.id] = start
                return
