"""job-manager: what clients, the scheduler and who executes ask of the manager, and tell it. Rank 0 only."""

import asyncio
from collections.abc import Callable, Mapping
from errno import EINVAL, ENOENT, EPERM, EPROTO
from typing import Any, ClassVar

import msgspec

from flux.base import eventlog, treeobj
from flux.base.config import Config
from flux.base.jobid import ANY, JobID
from flux.base.jobstate import State
from flux.base.rset import ResourceSet
from flux.modules.job_manager.core import Event, Jobs, check_urgency
from flux.modules.job_manager.job import Job
from flux.modules.job_manager.journal import SENTINEL, Follower
from flux.modules.job_manager.queues import Queues
from flux.modules.job_manager.restart import Restart
from flux.modules.job_manager.waiters import Waiters
from flux.service import LATER, Call, Later, Service, request
from flux.service.kit import LOG_ERR, LOG_INFO
from flux.service.kvswriter import KvsWriter
from flux.wire.message import OWNER, STREAMING, USER, Response

CHECKPOINT = "checkpoint.job-manager"
PATIENCE = 60.0
"""Seconds that jobs have to end when the instance does."""
SUCCESS, ANNOTATE, DENY, CANCEL = 0, 1, 2, 3
"""Types of a scheduler's answers (RFC 27)."""


class JobManager(Service):
    """The Ways of the core."""

    name: ClassVar[str] = "job-manager"

    async def start(self) -> None:
        """Takes up what was there before a restart."""
        self._followers: list[Follower] = []
        self._scheduler: bytes | None = None
        self._unlimited, self._limit = True, 0
        self._executor = ""
        self._idle: list[tuple[Call, bool]] = []
        self.waiters = Waiters()
        await Restart(self, self.jobs).run()

    async def ending(self) -> None:
        """What runs is cancelled; what waits does so until the instance is there again."""
        for queue in self.jobs.queues:
            queue.started = False
        for job in list(self.jobs.active.values()):
            if job.state & State.RUN:
                self.jobs.exception(job, "cancel", 0, "the instance ends")
            else:
                self.jobs.settle(job)
        if not self.jobs.running:
            return
        try:
            async with asyncio.timeout(PATIENCE):
                await self.rpc("job-manager.idle")
        except TimeoutError:
            self.log(LOG_ERR, f"{self.jobs.running} jobs still run after {PATIENCE:.0f} s, and are left behind")

    async def stop(self) -> None:
        """All that has happened is written down."""
        await self._writer.end()

    def configured(self, config: Config) -> None:
        """Reads the names of the queues."""
        if not hasattr(self, "jobs"):
            self._writer = KvsWriter(self)
            self.jobs = Jobs(self, Queues(), self._writer.writes)
        self.jobs.queues.configure(list(config.values.get("queues", {})))

    # -- the ways of the core ---------------------------------------------------------------------------------------

    def wall(self) -> float:
        """Seconds since 1970."""
        return self.host.wall()

    def at(self, time: float, do: Callable[[], None]) -> None:
        """Does something at a time."""
        self.host.after(max(0.0, time - self.host.wall()), lambda: self.guarded(do))

    def journal(self, job: Job, event: Event) -> None:
        """Tells those who follow."""
        if not self._followers:
            return
        more: dict[str, Any] = {}
        if event["name"] == "submit":
            more["jobspec"] = job.spec
        elif event["name"] == "alloc" and job.R is not None:
            more["R"] = job.R
        for follower in self._followers:
            follower.tell(job.id, [event], **more)

    def soon(self, *, hurry: bool) -> None:
        """What is to be written goes to the key-value store."""
        self._writer.soon(hurry=hurry)

    def allocate(self, job: Job) -> None:
        """Asks the scheduler."""
        if self._scheduler is None:
            job.alloc_asked = False
            return
        asked = {"id": job.id, "priority": job.priority, "userid": job.userid, "t_submit": job.submitted}
        self.send_untagged("sched.alloc", asked | {"jobspec": job.spec})

    def withdraw(self, job: Job) -> None:
        """Asks it no more."""
        self.notify("sched.cancel", {"id": job.id})

    def prioritize(self, job: Job) -> None:
        """Tells it of another priority."""
        self.notify("sched.prioritize", {"jobs": [[job.id, job.priority]]})

    def execute(self, job: Job) -> None:
        """Asks who executes. Without anybody the job waits for somebody."""
        if not self._executor:
            job.start_asked = False
            return
        asked = {"id": job.id, "userid": job.userid, "jobspec": job.spec, "R": job.R, "reattach": False}
        self.send_untagged(f"{self._executor}.start", asked, flags=STREAMING)

    def free(self, job: Job) -> None:
        """Gives it all back."""
        self.notify("sched.free", {"id": job.id, "R": job.R, "final": True})

    def expire(self, job: Job, expiration: float) -> None:
        """Tells the scheduler, and who executes, when a job ends now."""
        self.notify("sched.expiration", {"id": job.id, "expiration": expiration})
        self.notify(f"{self._executor}.expiration", {"id": job.id, "expiration": expiration})

    def excepted(self, job: Job, exception: Mapping[str, Any]) -> None:
        """Tells all of an exception."""
        told = {key: exception[key] for key in ("type", "severity", "wait_status") if key in exception}
        self.publish("job-exception", {"id": job.id} | told, private=True)

    def ended(self, job: Job) -> None:
        """A job is over."""
        self.waiters.ended(job)
        self._answer_idle()

    # -- submission -------------------------------------------------------------------------------------------------

    @request("submit")
    def submit(self, call: Call, *, jobs: list[dict[str, Any]]) -> Later:
        """Takes new jobs, and answers when they are written down: those that are refused, and why."""
        errors: list[list[Any]] = []
        taken = []
        for told in jobs:
            id = told["id"]
            try:
                how = {key: told[key] for key in ("userid", "urgency", "flags")}
                taken.append(self.jobs.submit(id, told["jobspec"], **how))
            except OSError as error:
                errors.append([id, error.strerror or str(error)])
        for job in taken:
            self.waiters.come(job)
            self.jobs.go(job)

        def written(why: str) -> None:
            if why:
                errors.extend([job.id, why] for job in taken)
                for job in taken:
                    self.jobs.drop(job)
            call.respond({"errors": errors} if errors else {})

        self.jobs.writes.then(written)
        self.soon(hurry=True)
        return LATER

    # -- what is to be known ----------------------------------------------------------------------------------------

    @request("list")
    def list_jobs(self, call: Call, *, max_entries: int = 0) -> dict[str, Any]:
        """The active jobs, at most so many."""
        jobs = sorted(self.jobs.active.values(), key=lambda job: (-job.priority, job.id))
        keys = ("id", "userid", "urgency", "priority", "state")
        told = [{key: int(getattr(job, key)) for key in keys} | {"t_submit": job.submitted} for job in jobs]
        return {"jobs": told[: max_entries or None]}

    @request(allow=USER)
    async def getattr(self, call: Call, *, id: int, attrs: list[str]) -> dict[str, Any]:
        """Attributes of an active job: jobspec, R, eventlog."""
        job = self.jobs.active.get(id)
        if job is None:
            raise OSError(ENOENT, "unknown job")
        self._check_access(call, job)
        found: dict[str, Any] = {"jobspec": job.spec, "eventlog": job.eventlog}
        if job.R is not None:
            found["R"] = job.R
        missing = [name for name in attrs if name not in found]
        if missing:
            raise OSError(ENOENT, f"{missing[0]}: no such attribute")
        return {name: found[name] for name in attrs}

    @request(allow=USER)
    def getinfo(self, call: Call) -> dict[str, Any]:
        """The greatest job id so far."""
        return {"max_jobid": self.jobs.max_id}

    @request("job-manager.history.get", allow=USER)
    def history(self, call: Call, *, slice: str) -> dict[str, Any]:
        """Some of the user's jobs by when they were submitted, the latest first, as Python slices lists."""
        jobs = list(reversed(self.jobs.history.get(call.request.userid, {})))
        return {"jobs": _sliced(jobs, slice)}

    @request(allow=USER)
    def alloc_query(self, call: Call) -> dict[str, Any]:
        """How many jobs wait for the scheduler, have asked it, or run."""
        jobs = self.jobs.active.values()
        waiting = sum(job.state == State.SCHED for job in jobs)
        asked = sum(job.alloc_asked for job in jobs)
        return {"queue_length": waiting - asked, "alloc_pending": asked, "running": self.jobs.running}

    @request()
    def resource_status(self, call: Call) -> dict[str, Any]:
        """All that is allocated."""
        found = ResourceSet()
        for job in self.jobs.active.values():
            if job.R is not None and not job.freed:
                found = found.union(ResourceSet.parse(job.R))
        return {"allocated": found.encode()}

    @request()
    def events_journal(
        self, call: Call, *, full: bool = False, allow: dict[str, int] | None = None, deny: dict[str, int] | None = None
    ) -> Later:
        """Tells of all events of active jobs; if `full`, also of those that were."""
        if not call.request.streaming:
            raise OSError(EPROTO, "job-manager.events-journal needs a streaming request")
        follower = Follower(call, allow, deny)
        self.run(self._begin_journal(call, follower, full))
        return LATER

    async def _begin_journal(self, call: Call, follower: Follower, full: bool) -> None:
        told = set[int]()
        while full and not told >= self.jobs.over.keys():
            await self._writer.end()  # of those that are over all is in the key-value store
            for id in [id for id in self.jobs.over if id not in told]:
                await self._tell_over(follower, id)
                told.add(id)
        for job in list(self.jobs.active.values()):
            more: dict[str, Any] = {"jobspec": job.spec} | ({} if job.R is None else {"R": job.R})
            follower.tell(job.id, eventlog.decode(job.eventlog), **more)
        call.respond(SENTINEL)
        self._followers.append(follower)
        call.on_close = lambda: self._followers.remove(follower)

    async def _tell_over(self, follower: Follower, id: int) -> None:
        found = {}
        for key in ("eventlog", "jobspec", "R"):
            try:
                payload = {"key": f"{JobID(id).kvs}.{key}", "flags": 0, "namespace": "primary"}
                found[key] = treeobj.value_of((await self.rpc("kvs.lookup", payload))["val"])
            except OSError:
                continue
        if "eventlog" in found:
            more = {key: msgspec.json.decode(found[key]) for key in ("jobspec", "R") if key in found}
            follower.tell(id, eventlog.decode(found["eventlog"]), **more)

    # -- changes ----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    def urgency(self, call: Call, *, id: int, urgency: int) -> dict[str, Any]:
        """Gives a job another urgency."""
        job = self.jobs.find(id)
        self._check_access(call, job)
        check_urgency(urgency, owner=self._is_owner(call))
        if job.state & State.RUNNING:
            raise OSError(EINVAL, "urgency cannot be changed once resources are allocated")
        return {"old_urgency": self.jobs.urge(job, urgency, call.request.userid)}

    @request("raise", allow=USER)
    def raise_exception(
        self, call: Call, *, id: int, severity: int, type: str, note: str = "", wait_status: int | None = None
    ) -> None:
        """Raises an exception on a job; with severity 0 that ends it."""
        job = self.jobs.find(id)
        self._check_access(call, job)
        _check_exception(severity, type)
        more = {} if wait_status is None else {"wait_status": wait_status}
        self.jobs.exception(job, type, severity, note, userid=call.request.userid, **more)

    @request(allow=USER)
    def raiseall(
        self,
        call: Call,
        *,
        dry_run: bool,
        userid: int,
        states: int,
        severity: int,
        type: str,
        note: str = "",
    ) -> dict[str, Any]:
        """Raises an exception on all jobs of a user in some states."""
        _check_exception(severity, type)
        chosen = [job for job in self._of_user(call, userid) if job.state & states]
        if not dry_run:
            for job in chosen:
                self.jobs.exception(job, type, severity, note, userid=call.request.userid)
        return {"count": len(chosen), "errors": 0}

    @request(allow=USER)
    def kill(self, call: Call, *, id: int, signum: int) -> None:
        """Signals the tasks of a running job."""
        job = self.jobs.find(id)
        self._check_access(call, job)
        if job.state != State.RUN:
            raise OSError(EINVAL, "job is not running")
        _check_signal(signum)
        self._kill(job, signum)

    @request(allow=USER)
    def killall(self, call: Call, *, dry_run: bool, userid: int, signum: int) -> dict[str, Any]:
        """Signals the tasks of all running jobs of a user."""
        _check_signal(signum)
        chosen = [job for job in self._of_user(call, userid) if job.state == State.RUN]
        if not dry_run:
            for job in chosen:
                self._kill(job, signum)
        return {"count": len(chosen), "errors": 0}

    def _kill(self, job: Job, signum: int) -> None:
        self.publish(f"shell-{job.id}.kill", {"signum": signum}, private=True)

    @request()
    def wait(self, call: Call, *, id: int) -> Later:
        """Waits for the end of a waitable job, or with JOBID_ANY for that of any."""
        if self.waiters.wait(id & ANY, call):
            call.on_close = lambda: self.waiters.leave(call)
        return LATER

    @request(allow=USER)
    def memo(self, call: Call, *, id: int, memo: dict[str, Any], volatile: bool = False) -> None:
        """Notes something about a job."""
        job = self.jobs.find(id)
        self._check_access(call, job)
        self.jobs.memo(job, memo, volatile=volatile)

    @request(allow=USER)
    def update(self, call: Call, *, id: int, updates: dict[str, Any]) -> None:
        """Changes a pending job's jobspec, or a running one's duration."""
        job = self.jobs.find(id)
        self._check_access(call, job)
        self.jobs.update(job, updates, owner=self._is_owner(call))

    @request()
    def purge(
        self, call: Call, *, age_limit: float = -1.0, num_limit: int = -1, batch: int = 100, force: bool = False
    ) -> dict[str, Any]:
        """Forgets jobs that are over: those beyond an age in seconds, or all but a number of them."""
        ids = self.jobs.old(self.host.wall(), age_limit, num_limit)
        if not force:
            return {"count": len(ids)}
        self._purge(ids[:batch])
        return {"count": len(ids[:batch])}

    @request()
    def purge_id(self, call: Call, *, id: int, force: bool = False) -> dict[str, Any]:
        """Forgets one job that is over."""
        if id in self.jobs.active:
            raise OSError(EINVAL, "job is active")
        if id not in self.jobs.over:
            raise OSError(ENOENT, "unknown job")
        if force:
            self._purge([id])
        return {"count": 1}

    def _purge(self, ids: list[int]) -> None:
        self.jobs.purge(ids)
        if ids:
            self.soon(hurry=True)
            self.publish("job-purge-inactive", {"jobs": ids})

    # -- queues -----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    def queue_list(self, call: Call) -> dict[str, Any]:
        """The names of the queues; none for the anonymous one."""
        return {"queues": [queue.name for queue in self.jobs.queues if queue.name]}

    @request(allow=USER)
    def queue_status(self, call: Call, *, name: str | None = None) -> dict[str, Any]:
        """Whether a queue takes jobs, and starts them."""
        told = self.jobs.queues.find(name or "").described()
        if self._scheduler is None:
            told |= {"start": False, "stop_reason": "Scheduler is offline"}
        return told

    @request()
    def queue_enable(
        self, call: Call, *, enable: bool, name: str | None = None, reason: str | None = None, all: bool = False
    ) -> None:
        """Lets queues take jobs, or not."""
        if not enable and not reason:
            raise OSError(EINVAL, "reason is required for disable")
        for queue in self.jobs.queues.chosen(name, all):
            queue.enabled, queue.disable_reason = enable, None if enable else reason
        self._checkpoint()

    @request()
    def queue_start(
        self,
        call: Call,
        *,
        start: bool,
        name: str | None = None,
        reason: str | None = None,
        all: bool = False,
        nocheckpoint: bool = False,
    ) -> None:
        """Lets queues start jobs, or not."""
        for queue in self.jobs.queues.chosen(name, all):
            queue.started, queue.stop_reason = start, None if start else reason
            self.jobs.queue_changed(queue.name)
        if not nocheckpoint:
            self._checkpoint()

    def _checkpoint(self) -> None:
        kept = {"version": 1, "max_jobid": self.jobs.max_id, "queue": [queue.kept() for queue in self.jobs.queues]}
        self.jobs.writes.put(CHECKPOINT, msgspec.json.encode(kept))
        self.soon(hurry=False)

    @request()
    def drain(self, call: Call) -> Later:
        """Waits until no job is active."""
        return self._wait_idle(call, all=True)

    @request()
    def idle(self, call: Call) -> Later:
        """Waits until no job runs."""
        return self._wait_idle(call, all=False)

    def _wait_idle(self, call: Call, *, all: bool) -> Later:
        self._idle.append((call, all))
        call.on_close = lambda: self._idle.remove((call, all))
        self._answer_idle()
        return LATER

    def _answer_idle(self) -> None:
        for call, all in list(self._idle):
            if not (self.jobs.active if all else self.jobs.running):
                self._idle.remove((call, all))
                call.on_close = None
                call.respond({"pending": len(self.jobs.active)})

    # -- the scheduler (RFC 27) -------------------------------------------------------------------------------------

    @request()
    def sched_hello(self, call: Call, *, partial_ok: bool = False) -> Later:
        """Tells a scheduler which jobs have resources."""
        if not call.request.streaming:
            raise OSError(EPROTO, "job-manager.sched-hello needs a streaming request")
        for job in self.jobs.active.values():
            if job.R is not None and not job.freed:
                told = {"id": job.id, "priority": job.priority, "userid": job.userid, "t_submit": job.submitted}
                call.respond(told)
        call.end()
        return LATER

    @request()
    def sched_ready(self, call: Call, *, mode: str, limit: int = 0) -> dict[str, Any]:
        """A scheduler is ready to hear of jobs."""
        if mode.partition("=")[0] not in ("limited", "unlimited", "single"):
            raise OSError(EPROTO, f"mode '{mode:.40}' is not known")
        self._scheduler = call.sender
        waiting = [job for job in self.jobs.active.values() if job.state == State.SCHED]
        for job in sorted(waiting, key=lambda job: (-job.priority, job.submitted)):
            self.jobs.settle(job)
        return {"count": len(waiting)}

    def disconnected(self, sender: bytes) -> None:
        """The scheduler is gone, or somebody else."""
        if sender == self._scheduler:
            self._scheduler = None
            self.jobs.forget_scheduler()
            self.log(LOG_INFO, "scheduler: offline")

    @request()
    def exec_hello(self, call: Call, *, service: str) -> None:
        """Who executes jobs from now on (RFC 32)."""
        self._executor = service
        for job in list(self.jobs.active.values()):
            self.jobs.settle(job)

    def untagged(self, response: Response) -> None:
        """What the scheduler and who executes say."""
        if response.errnum:
            self._refused(response)
            return
        told = response.body()
        if response.topic == "sched.alloc":
            self._answered(told)
        elif response.topic.endswith(".start"):
            self._executed(told)

    def _refused(self, response: Response) -> None:
        if response.topic == "sched.alloc":
            self._scheduler = None
            self.jobs.forget_scheduler()
            self.log(LOG_ERR, f"scheduler: {response.text() or 'refuses'}: stopped")
        elif response.topic.endswith(".start"):
            self.log(LOG_ERR, f"exec: {response.text() or 'refuses'}")

    def _answered(self, told: dict[str, Any]) -> None:
        id = told["id"]
        match told["type"]:
            case 0:
                self.jobs.allocated(id, told["R"], told.get("annotations"))
            case 1:
                self.jobs.annotated(id, told.get("annotations"))
            case 2:
                self.jobs.denied(id, told.get("note") or "")
            case 3:
                self.jobs.withdrawn(id)

    def _executed(self, told: dict[str, Any]) -> None:
        id, data = told["id"], told["data"]
        match told["type"]:
            case "start":
                self.jobs.started(id)
            case "finish":
                self.jobs.finished(id, data["status"])
            case "release":
                self.jobs.released(id, data["ranks"], data["final"])
            case "exception":
                job = self.jobs.active.get(id)
                if job is not None:
                    self.jobs.exception(job, data["type"], data["severity"], data.get("note") or "")

    # -- inside -----------------------------------------------------------------------------------------------------

    def _is_owner(self, call: Call) -> bool:
        return bool(call.request.rolemask & OWNER)

    def _check_access(self, call: Call, job: Job) -> None:
        if not self._is_owner(call) and call.request.userid != job.userid:
            raise OSError(EPERM, "the job belongs to somebody else")

    def _of_user(self, call: Call, userid: int) -> list[Job]:
        if not self._is_owner(call) and userid != call.request.userid:
            raise OSError(EPERM, "guests can only act on their own jobs")
        everybody = userid == 0xFFFFFFFF
        return [job for job in self.jobs.active.values() if everybody or job.userid == userid]

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """How many jobs there are."""
        counts = {"active_jobs": len(self.jobs.active), "inactive_jobs": len(self.jobs.over)}
        more = {
            "housekeeping": {"running": {}},
            "max_jobid": self.jobs.max_id,
            "journal": {"listeners": len(self._followers)},
        }
        return super().stats_get(call) | counts | more


def _sliced(jobs: list[int], text: str) -> list[int]:
    """What `jobs[...]` would be."""
    words = text.removeprefix("[").removesuffix("]").split(":")
    try:
        numbers = [int(word) if word.strip() else None for word in words]
        if not text.startswith("[") or not text.endswith("]") or len(numbers) > 3:
            raise ValueError
        if len(numbers) == 1:
            at = numbers[0] or 0
            return jobs[at : at + 1 or None]
        return jobs[slice(*numbers)]
    except ValueError:
        raise OSError(EINVAL, "could not parse python-style slice expression") from None


def _check_exception(severity: int, type: str) -> None:
    if not 0 <= severity <= 7:
        raise OSError(EPROTO, f"invalid exception severity {severity}")
    if not type or any(char.isspace() for char in type):
        raise OSError(EPROTO, "invalid exception type")


def _check_signal(signum: int) -> None:
    if not 1 <= signum <= 64:
        raise OSError(EINVAL, "Invalid signal number")
