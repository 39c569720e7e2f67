"""The scheduler as a service (RFC 27, 28): takes requests for resources, plans in slices of a millisecond, answers."""

from collections.abc import Iterator
from errno import EINVAL
from math import inf
from typing import Any, ClassVar

import msgspec

from flux.base import treeobj
from flux.base.constraint import Constraint, parse
from flux.base.idset import IDset
from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.base.jobspec import Resources, read_resources
from flux.base.rset import ResourceSet
from flux.modules.sched.explain import lack
from flux.modules.sched.plan import FCFS, LATE, Never, Plan, Running, Start, Step
from flux.modules.sched.pool import Allocation, Pool
from flux.modules.sched.waiting import Line, Waiting
from flux.service import LATER, Call, Later, Service, request
from flux.service.kit import LOG_ERR, LOG_INFO, LOG_WARNING
from flux.wire.message import STREAMING, USER, Response

SLICE = 0.001
"""Seconds of planning without a pause."""
LAZY = 1 << 16
SUCCESS, ANNOTATE, DENY, CANCEL = 0, 1, 2, 3
"""Types of answers to an allocation request."""

Kind = tuple[Resources, float, str]


class Sched(Service):
    """What all schedulers here have in common; they differ in how many jobs get a reservation (`depth`)."""

    name: ClassVar[str] = "sched"
    aliases: ClassVar[tuple[str, ...]] = ("sched", "feasibility")
    depth: ClassVar[int] = FCFS

    async def start(self) -> None:
        """Acquires resources, hears which jobs have some already, and says that it is ready."""
        self._pool: Pool | None = None
        self._resources = ResourceSet()
        self._line = Line()
        self._calls: dict[int, Call] = {}
        self._running: dict[int, Running] = {}
        self._end = inf
        self._steps: Iterator[Step] | None = None
        self._plan: Plan | None = None
        self._again = self._planning = False
        self._constraints: dict[str, Constraint] = {}
        self._feasible: dict[Kind, str] = {}
        self.run(self._acquire())

    async def _acquire(self) -> None:
        stream = self.stream("resource.acquire")
        async for told in stream:
            if self._pool is None:
                self._begin(told)
                await self._hello()
                await self.rpc("job-manager.sched-ready", {"mode": "unlimited"})
                self.log(LOG_INFO, f"ready: {self._resources}")
            else:
                self._changed(told)
            self._replan()

    def _begin(self, told: dict[str, Any]) -> None:
        self._resources = ResourceSet.parse(told["resources"])
        self._pool = Pool.of(self._resources)
        self._end = self._resources.expiration or inf
        self._pool.mark(IDset(told["up"]), up=True)

    async def _hello(self) -> None:
        """Takes over what is allocated already."""
        assert self._pool is not None
        async for job in self.stream("job-manager.sched-hello", {"partial-ok": True}):
            found = await self._lookup(f"{JobID(job['id']).kvs}.R")
            if found is None:
                self.log(LOG_ERR, f"{JobID(job['id'])}: has no R")
                continue
            held = found.difference(found.restricted(IDset(job.get("free", ""))))
            self._running[job["id"]] = Running(found.expiration or LATE, dict(held.ranks))
            self._pool.take(held.ranks)

    async def _lookup(self, key: str) -> ResourceSet | None:
        try:
            found = await self.rpc("kvs.lookup", {"key": key, "flags": 0, "namespace": "primary"})
            return ResourceSet.parse(msgspec.json.decode(treeobj.value_of(found["val"])))
        except (OSError, msgspec.MsgspecError):
            return None

    def _changed(self, told: dict[str, Any]) -> None:
        assert self._pool is not None
        for key in ("up", "down"):
            if key in told:
                allocated = self._allocated() if key == "up" else {}
                self._pool.mark(IDset(told[key]), up=key == "up", allocated=allocated)
        if "shrink" in told:
            self._pool.shrink(IDset(told["shrink"]))
        if "expiration" in told:
            self._end = told["expiration"] or inf
        for key, add in (("property-add", True), ("property-remove", False)):
            if key in told:
                properties = dict(self._pool.nodes.properties)
                for name, ranks in told[key].items():
                    having = properties.get(name, frozenset())
                    properties[name] = having | set(IDset(ranks)) if add else having - set(IDset(ranks))
                self._pool.describe(properties)
        self._feasible.clear()

    def _allocated(self) -> Allocation:
        found = ResourceSet()
        for running in self._running.values():
            found = found.union(ResourceSet(running.allocation))
        return dict(found.ranks)

    # -- requests of the job manager --------------------------------------------------------------------------------

    @request("sched.alloc")
    def alloc(
        self, call: Call, *, id: int, priority: int, userid: int, jobspec: dict[str, Any], t_submit: float = 0.0
    ) -> Later:
        """A job wants resources."""
        try:
            job = self._wish(id, priority, t_submit, jobspec)
        except Invalid as error:
            self._answer(call, id, DENY, note=str(error))
            return LATER
        self._calls[id] = call
        self._line.add(job)
        self._wake()
        return LATER

    @request("sched.cancel")
    def cancel_alloc(self, call: Call, *, id: int) -> None:
        """A job wants them no more. Its request is answered by that, unless it has them."""
        if self._line.remove(id) is not None:
            self._answer(self._calls.pop(id), id, CANCEL)
            self._replan()

    @request("sched.prioritize")
    def prioritize(self, call: Call, *, jobs: list[tuple[int, int]]) -> None:
        """Jobs have other priorities."""
        for id, priority in jobs:
            self._line.move(id, priority)
        self._replan()

    @request("sched.free")
    def free(self, call: Call, *, id: int, R: dict[str, Any] | None = None, final: bool = False) -> None:
        """A job gives back some of its resources, or the last of them."""
        running = self._running.pop(id, None)
        if running is None or self._pool is None:
            return
        if R is None or final:
            self._pool.give(running.allocation)
        else:
            freed = ResourceSet.parse(R).ranks
            self._pool.give({rank: share for rank, share in running.allocation.items() if rank in freed})
            left = {rank: share for rank, share in running.allocation.items() if rank not in freed}
            self._running[id] = Running(running.end, left)
        self._replan()

    @request("sched.expiration")
    def expiration(self, call: Call, *, id: int, expiration: float) -> None:
        """A job ends at another time."""
        running = self._running.get(id)
        if running is not None:
            if expiration > self._end:
                raise OSError(EINVAL, "job would end after the instance does")
            self._running[id] = Running(expiration or LATE, running.allocation)
            self._replan()

    @request("feasibility.check", allow=USER)
    def feasibility(self, call: Call, *, jobspec: dict[str, Any]) -> None:
        """Refuses what could never run here (EINVAL), and says what there is."""
        if self._pool is None:
            return
        try:
            wanted, duration, constraint = self._shape(jobspec)
        except Invalid as error:
            raise OSError(EINVAL, str(error)) from None
        kind = (wanted, duration, constraint)
        if kind not in self._feasible:
            matching = self._constraint(constraint)
            whole = self._pool.whole()
            fits = whole.find(wanted, matching)
            self._feasible[kind] = "" if fits else lack(wanted, whole, matching)
        if self._feasible[kind]:
            raise OSError(EINVAL, self._feasible[kind])

    @request("sched.explain")
    def explain(self, call: Call, *, id: int) -> dict[str, Any]:
        """Why a job waits: what it lacks now, and the earliest estimate of its start (ours)."""
        job = self._line.get(id)
        if job is None or self._pool is None:
            return {"waits": False}
        told: dict[str, Any] = {"waits": True, "ahead": self._line.before(id)}
        if not self._pool.find(job.wanted, job.constraint):
            told["lack"] = lack(job.wanted, self._pool, job.constraint)
        estimate = self._plan.estimates.get(id) if self._plan is not None else None
        return told if estimate is None else told | {"t_estimate": estimate}

    # -- what jobs want ---------------------------------------------------------------------------------------------

    def _wish(self, id: int, priority: int, submitted: float, jobspec: dict[str, Any]) -> Waiting:
        wanted, duration, constraint = self._shape(jobspec)
        queue = jobspec["attributes"]["system"].get("queue") or ""
        matching = self._constraint(constraint)
        kind = (wanted, duration, constraint)
        return Waiting(id, priority, submitted, wanted, duration, matching, queue, kind)

    def _shape(self, jobspec: dict[str, Any]) -> Kind:
        """What counts when it is decided whether a job fits."""
        system = jobspec["attributes"]["system"]
        constraints = system.get("constraints")
        text = msgspec.json.encode(constraints).decode() if constraints else ""
        return read_resources(jobspec), float(system.get("duration") or 0.0), text

    def _constraint(self, text: str) -> Constraint | None:
        """Equal constraints are one, which is asked once."""
        if not text:
            return None
        found = self._constraints.get(text)
        if found is None:
            found = self._constraints[text] = parse(msgspec.json.decode(text))
        return found

    # -- planning ---------------------------------------------------------------------------------------------------

    def _replan(self) -> None:
        """Something has changed for those who were considered already."""
        self._steps = None
        self._wake()

    def _wake(self) -> None:
        if self._pool is None:
            return
        if not self._planning:
            self._planning = True
            self.host.after(0, self._slice)
        elif self._steps is not None:
            self._again = True

    def _slice(self) -> None:
        self.guarded(self._go_on)

    def _go_on(self) -> None:
        assert self._pool is not None
        if self._steps is None:
            self._again = False
            self._plan = Plan(self._pool, self._running, self.host.wall(), depth=self.depth, end=self._end)
            self._steps = self._plan.steps(self._line)
        end = self.host.now() + SLICE
        for step in self._steps:
            self._do(step)
            if self.host.now() > end:
                break
        else:
            self._steps, self._planning = None, False
            if self._again:
                self._wake()
            return
        self.host.after(0, self._slice)

    def _do(self, step: Step) -> None:
        match step:
            case Start(job, allocation):
                self._line.remove(job.id)
                self._start(job, allocation)
            case Never(job):
                self._line.remove(job.id)
                note = "the instance ends before the job could: its time limit is too long"
                self._answer(self._calls.pop(job.id), job.id, DENY, note=note)

    def _start(self, job: Waiting, allocation: Allocation) -> None:
        """R goes to the key-value store with the next commit: nothing starts before that of the event `alloc`."""
        now = self.host.wall()
        expiration = now + job.duration if job.duration else (0.0 if self._end == inf else self._end)
        self._running[job.id] = Running(expiration or LATE, allocation)
        hosts, all = self._resources.hosts, self._resources.properties
        having = {rank: hosts[rank] for rank in allocation if rank in hosts}
        properties = {name: some & allocation.keys() for name, some in all.items() if some & allocation.keys()}
        made = ResourceSet(allocation, having, properties, now, expiration, job.wanted.total_slots)
        R = made.encode()
        value = treeobj.val(msgspec.json.encode(R))
        op = {"key": f"{JobID(job.id).kvs}.R", "flags": 0, "dirent": value}
        self.send_request("kvs.commit", {"ops": [op], "namespace": "primary", "flags": LAZY}, self._stored)
        annotations = {"sched": {"resource_summary": str(made)}}
        self._answer(self._calls.pop(job.id), job.id, SUCCESS, R=R, annotations=annotations)

    def _stored(self, response: Response) -> None:
        if response.errnum:
            self.log(LOG_WARNING, f"R could not be stored: {response.text()}")

    def _answer(self, call: Call, id: int, type: int, **more: Any) -> None:
        """Answers, whose matchtag is 0, are told apart by the job."""
        asked = call.request
        data = {"id": id, "type": type, **more}
        self.send(Response(asked.userid, asked.rolemask, asked.flags & STREAMING, asked.topic, data, 0, 0, asked.route))
        call.abandon()

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """How many jobs wait, and how many have resources."""
        return super().stats_get(call) | {"pending_jobs": len(self._line), "running_jobs": len(self._running)}
