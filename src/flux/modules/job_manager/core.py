"""The jobs of an instance: what happens to them, and what follows. No I/O: that is done by the `Ways` it is given."""

from collections.abc import Callable, Iterable, Mapping
from errno import EINVAL, ENOENT, EPERM
from typing import Any, Protocol

import msgspec

from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.base.jobspec import Jobspec
from flux.base.jobstate import EXPEDITE, HOLD, WAITABLE, Result, State, priority_of
from flux.base.kvswrites import Writes
from flux.modules.job_manager.dependencies import Dependencies, Ended, Verdict, target
from flux.modules.job_manager.job import Job, put
from flux.modules.job_manager.queues import Queues
from flux.modules.job_manager.todo import Allocate, Free, Post, Start, Withdraw, todo

Event = dict[str, Any]
JOURNAL_ONLY = frozenset(("annotations", "invalidate"))


class Ways(Protocol):
    """What is done for it."""

    def wall(self) -> float: ...
    def at(self, time: float, do: Callable[[], None]) -> None: ...  # at a time, seconds since 1970
    def journal(self, job: Job, event: Event) -> None: ...  # tells those who follow
    def soon(self, *, hurry: bool) -> None: ...  # what is in `writes` is to be written
    def allocate(self, job: Job) -> None: ...
    def withdraw(self, job: Job) -> None: ...
    def prioritize(self, job: Job) -> None: ...
    def execute(self, job: Job) -> None: ...
    def expire(self, job: Job, expiration: float) -> None: ...  # a running job ends at another time
    def free(self, job: Job) -> None: ...
    def excepted(self, job: Job, exception: Mapping[str, Any]) -> None: ...  # tells all by an event
    def ended(self, job: Job) -> None: ...


class Jobs:
    """All jobs that are not over, and what is remembered of the others."""

    def __init__(self, ways: Ways, queues: Queues, writes: Writes) -> None:
        self._ways = ways
        self.queues = queues
        self.active: dict[int, Job] = {}
        self.over: dict[int, Ended] = {}
        self.ends: dict[int, float] = {}
        """When those that are over ended, the earliest first."""
        self.writes = writes
        self.history: dict[int, dict[int, None]] = {}
        """The jobs of each user, in the order of their submission."""
        self.max_id = 0
        self.running = 0
        self._dependencies = Dependencies()
        self._now = 0.0

    # -- a job comes ------------------------------------------------------------------------------------------------

    def submit(self, id: int, jobspec: dict[str, Any], *, userid: int, urgency: int, flags: int) -> Job:
        """Takes a new job. OSError says why not: nothing of it is left then."""
        if id in self.active or id in self.over:
            raise OSError(EINVAL, "job id exists already")
        spec = Jobspec.parse(jobspec)
        job = Job(id, jobspec, spec)
        queue = self.queues.find(spec.queue)
        if not queue.enabled:
            raise OSError(
                EINVAL,
                f"job submission{f' to {queue.name}' if queue.name else ''} is disabled: "
                f"{queue.disable_reason or 'no reason given'}",
            )
        job.userid = userid
        self._check_dependencies(job, spec.dependencies)
        self.active[id] = job
        self.max_id = max(self.max_id, id)
        self.history.setdefault(userid, {})[id] = None
        self._post(job, "submit", {"userid": userid, "urgency": urgency, "flags": flags, "version": 1})
        self._post(job, "validate")
        for description in self._depend(job, spec.dependencies):
            self._post(job, "dependency-add", {"description": description})
        return job

    def _check_dependencies(self, job: Job, dependencies: Iterable[Mapping[str, Any]]) -> None:
        """Refuses what cannot be, before anything is noted."""
        trial = Dependencies()
        for dependency in dependencies:
            if dependency["scheme"] == "begin-time":
                _begin_time(dependency)
            else:
                trial.add(job, dependency, self._other(dependency))

    def _depend(self, job: Job, dependencies: Iterable[Mapping[str, Any]]) -> list[str]:
        found = []
        for dependency in dependencies:
            if dependency["scheme"] == "begin-time":
                description = self._begin_later(job, _begin_time(dependency))
            else:
                description = self._dependencies.add(job, dependency, self._other(dependency))
            if description is not None and description not in found:
                found.append(description)
        return found

    def _begin_later(self, job: Job, time: float) -> str | None:
        if time <= self._ways.wall():
            return None
        description = f"begin-time={time:.3f}"
        self._ways.at(time, lambda: self.depended(job.id, description))
        return description

    def _other(self, dependency: Mapping[str, Any]) -> Job | Ended | None:
        if dependency["scheme"] == "singleton":
            return None
        try:
            id = target(dependency["scheme"], dependency["value"])
        except OSError:
            return None
        return self.active.get(id) or self.over.get(id)

    def go(self, job: Job) -> None:
        """Does what is to be done for a job that has come."""
        self.settle(job)

    def drop(self, job: Job) -> None:
        """A job that could not be written down has never been."""
        self._dependencies.forget(job)
        self.active.pop(job.id, None)
        self.history.get(job.userid, {}).pop(job.id, None)
        self.writes.unlink(job.kvs)

    def purge(self, ids: Iterable[int]) -> None:
        """Forgets jobs that are over."""
        for id in ids:
            del self.over[id], self.ends[id]
            for jobs in self.history.values():
                jobs.pop(id, None)
            self.writes.unlink(JobID(id).kvs)

    # -- what others say --------------------------------------------------------------------------------------------

    def find(self, id: int) -> Job:
        """A job that is not over. ENOENT, or EINVAL if it is."""
        job = self.active.get(id)
        if job is None:
            if id in self.over:
                raise OSError(EINVAL, "job is inactive")
            raise OSError(ENOENT, "unknown job")
        return job

    def allocated(self, id: int, R: dict[str, Any], annotations: dict[str, Any] | None) -> None:
        """The scheduler gives a job what it asked for."""
        job = self.active.get(id)
        if job is None:
            return
        job.alloc_asked = False
        job.R = R
        if job.state != State.SCHED:
            self.settle(job)
            return
        self._post(job, "alloc", {"annotations": annotations} if annotations else None)
        self.running += 1
        self.writes.then(lambda why: self._alloc_written(job, why))
        self._ways.soon(hurry=True)

    def _alloc_written(self, job: Job, why: str) -> None:
        if why:
            self.exception(job, "alloc", 0, f"the allocation could not be written down: {why}")
            return
        job.ready = True
        self.settle(job)

    def withdrawn(self, id: int) -> None:
        """The scheduler has dropped a job's request."""
        job = self.active.get(id)
        if job is not None:
            job.alloc_asked = False
            self.settle(job)

    def denied(self, id: int, note: str) -> None:
        """The scheduler cannot ever give a job what it asks for."""
        job = self.active.get(id)
        if job is not None:
            job.alloc_asked = False
            self.exception(job, "alloc", 0, note)

    def annotated(self, id: int, annotations: dict[str, Any] | None) -> None:
        """Something is to be known of a job, for as long as it is active."""
        job = self.active.get(id)
        if job is not None:
            self.post(job, "annotations", {"annotations": annotations})

    def started(self, id: int) -> None:
        """A job's tasks run."""
        job = self.active.get(id)
        if job is not None and not job.started:
            self.post(job, "start")
            self._decide(self._dependencies.started(job))

    def finished(self, id: int, status: int) -> None:
        """A job's tasks have ended."""
        job = self.active.get(id)
        if job is not None and job.status is None:
            if job.exception is not None and "wait_status" in job.exception:
                status = job.exception["wait_status"]
            self.post(job, "finish", {"status": status})

    def released(self, id: int, ranks: str, final: bool) -> None:
        """Nothing of a job runs on some ranks any more, or anywhere."""
        job = self.active.get(id)
        if job is not None:
            if final:
                job.start_asked = False
            self.post(job, "release", {"ranks": ranks, "final": final})

    def depended(self, id: int, description: str) -> None:
        """One thing less that a job waits for."""
        job = self.active.get(id)
        if job is not None and description in job.dependencies:
            self.post(job, "dependency-remove", {"description": description})

    def exception(
        self, job: Job, type: str, severity: int, note: str = "", *, userid: int | None = None, **more: Any
    ) -> None:
        """Something is wrong with a job; with severity 0 that is its end."""
        context: dict[str, Any] = {"type": type, "severity": severity, "note": note}
        if userid is not None:
            context["userid"] = userid
        context |= more
        self._post(job, "exception", context)
        self._ways.excepted(job, context)
        self.settle(job)

    def urge(self, job: Job, urgency: int, userid: int) -> int:
        """Gives a job another urgency; returns the one that it had."""
        before = job.urgency
        if urgency != before:
            self._post(job, "urgency", {"urgency": urgency, "userid": userid})
            if job.state == State.SCHED:
                self._post(job, "priority", {"priority": priority_of(urgency)})
                if job.alloc_asked and job.priority > 0:
                    self._ways.prioritize(job)
            self.settle(job)
        return before

    def memo(self, job: Job, memo: dict[str, Any], *, volatile: bool) -> None:
        """Notes something about a job, for those who look."""
        self._post(job, "memo", memo, keep=not volatile)

    def update(self, job: Job, updates: dict[str, Any], *, owner: bool) -> None:
        """Changes what a job asks for: a pending one's attributes, a running one's duration. OSError: EINVAL, EPERM."""
        changed = job.spec
        for path, value in updates.items():
            if not path.startswith("attributes."):
                raise OSError(EINVAL, f"update of {path} not supported")
            if job.state & State.RUNNING and (path != "attributes.system.duration" or not owner):
                raise OSError(EINVAL if owner else EPERM, f"update of {path} of a running job not supported")
            put(changed, path, value)
        spec = Jobspec.parse(changed)
        self.queues.find(spec.queue)
        if job.state & State.RUNNING and job.R is not None:
            start = job.R["execution"].get("starttime") or self._ways.wall()
            expiration = start + spec.duration if spec.duration else 0.0
            self._ways.expire(job, expiration)
            self._post(job, "jobspec-update", updates)
            self._post(job, "resource-update", {"expiration": expiration})
            return
        self._post(job, "jobspec-update", updates)
        if job.alloc_asked:
            self._ways.withdraw(job)  # it is asked for anew when that is answered
        self.settle(job)

    def old(self, now: float, age: float, most: int) -> list[int]:
        """The jobs that are over and beyond a limit: an age in seconds, or so many; the earliest first."""
        ids = sorted(self.ends, key=self.ends.__getitem__)
        by_age = [id for id in ids if age >= 0 and now - self.ends[id] >= age]
        by_count = ids[: max(0, len(ids) - most)] if most >= 0 else []
        return max(by_age, by_count, key=len)

    def queue_changed(self, name: str) -> None:
        """A queue was started or stopped: its jobs are looked at again."""
        for job in list(self.active.values()):
            if job.queue == name and job.state == State.SCHED:
                self.settle(job)

    def forget_scheduler(self) -> None:
        """The scheduler is gone: its answers will not come."""
        for job in self.active.values():
            job.alloc_asked = False

    # -- events -----------------------------------------------------------------------------------------------------

    def post(self, job: Job, name: str, context: dict[str, Any] | None = None) -> None:
        """Something has happened to a job; what follows is done."""
        self._post(job, name, context)
        self.settle(job)

    def _post(self, job: Job, name: str, context: dict[str, Any] | None = None, *, keep: bool = True) -> None:
        event: Event = {"timestamp": self._time(), "name": name}
        if context is not None:
            event["context"] = context
        job.apply(name, context or {}, event["timestamp"])
        if keep and name not in JOURNAL_ONLY:
            line = msgspec.json.encode(event) + b"\n"
            job.log.append(line)
            self.writes.line(f"{job.kvs}.eventlog", line)
            self._ways.soon(hurry=False)
        self._ways.journal(job, event)

    def _time(self) -> float:
        """The time of an event: no two have the same, and none is before the last one."""
        self._now = max(self._ways.wall(), self._now + 1e-6)
        return self._now

    def settle(self, job: Job) -> None:
        """Does all that is to be done for a job now."""
        while job.id in self.active:
            scheduling = self.queues.find(job.queue).started if job.state == State.SCHED else False
            match todo(job, scheduling=scheduling):
                case Post(name, context):
                    self._post(job, name, context)
                    if name == "clean":
                        self._end(job)
                case Allocate():
                    job.alloc_asked = True
                    self._ways.allocate(job)
                    return
                case Withdraw():
                    self._ways.withdraw(job)
                    return
                case Start():
                    job.start_asked = True
                    self._ways.execute(job)
                    return
                case Free():
                    self._ways.free(job)
                    self.running -= 1
                    self._post(job, "free")
                case None:
                    return

    def _end(self, job: Job) -> None:
        del self.active[job.id]
        self.over[job.id] = Ended(job.result, job.exception is not None, job.started)
        self.ends[job.id] = job.end
        self._dependencies.forget(job)
        self._ways.ended(job)
        self._decide(self._dependencies.ended(job))

    def _decide(self, verdicts: Iterable[Verdict]) -> None:
        for id, description, met, note in list(verdicts):
            if met:
                self.depended(id, description)
            elif id in self.active:
                self.exception(self.active[id], "dependency", 0, note)

    # -- after a restart --------------------------------------------------------------------------------------------

    def replay(self, id: int, jobspec: dict[str, Any] | None, R: dict[str, Any] | None, events: list[Event]) -> None:
        """A job of before the restart. Of one that is over only the end is remembered."""
        self.max_id = max(self.max_id, id)
        last = events[-1] if events else {}
        self.history.setdefault(events[0]["context"]["userid"] if events else 0, {})[id] = None
        if last.get("name") == "clean" or jobspec is None:
            self._remember(id, events)
            return
        job = Job(id, jobspec, Jobspec.parse(jobspec))
        job.R = R
        for event in events:
            job.apply(event["name"], event.get("context") or {}, event["timestamp"])
            job.log.append(msgspec.json.encode(event) + b"\n")
        self.active[id] = job

    def _remember(self, id: int, events: list[Event]) -> None:
        exceptions = [e["context"] for e in events if e["name"] == "exception" and e["context"]["severity"] == 0]
        statuses = [e["context"]["status"] for e in events if e["name"] == "finish"]
        if exceptions:
            kinds = {"cancel": Result.CANCELED, "timeout": Result.TIMEOUT}
            result = kinds.get(exceptions[0]["type"], Result.FAILED)
        else:
            result = Result.COMPLETED if statuses and statuses[0] == 0 else Result.FAILED
        self.over[id] = Ended(result, bool(exceptions), any(e["name"] == "start" for e in events))
        self.ends[id] = events[-1]["timestamp"] if events else 0.0

    def resume(self) -> None:
        """All jobs are there again: those that wait go on, those that ran have lost their processes."""
        for job in sorted(self.active.values(), key=lambda job: job.id):
            pending = [spec for spec in job.spec_dependencies if job.state == State.DEPEND]
            for description in self._depend(job, self._still(pending)):
                if description not in job.dependencies and description not in job.satisfied:
                    self._post(job, "dependency-add", {"description": description})
            self._post(job, "flux-restart")
            if job.state == State.RUN or (job.state == State.CLEANUP and not job.released and job.ready):
                self.running += 1
                self.exception(job, "node-failure", 0, "the instance was restarted while the job ran")
            elif job.R is not None and not job.freed:
                self.running += 1
            self.settle(job)

    def _still(self, dependencies: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Those that can be waited for; one whose job is gone from memory is met."""
        return [one for one in dependencies if one["scheme"] in ("singleton", "begin-time") or self._other(one)]


def _begin_time(dependency: Mapping[str, Any]) -> float:
    try:
        return float(dependency["value"])
    except ValueError:
        raise OSError(EINVAL, f"dependency: begin-time: invalid time '{dependency['value']:.40}'") from None


def check_urgency(urgency: int, *, owner: bool, most: int = 16) -> None:
    """Refuses urgencies that there are not (EINVAL), or that are not for guests (EPERM)."""
    if not HOLD <= urgency <= EXPEDITE:
        raise OSError(EINVAL, "urgency value must be between 0 and 31")
    if not owner and urgency > most:
        raise OSError(EPERM, f"guests can only lower the urgency, and not beyond {most}")


def named(id: int) -> str:
    """A job's id, as people write it."""
    return JobID(id).f58


__all__ = ["WAITABLE", "Invalid", "Jobs", "Ways", "check_urgency", "named"]
