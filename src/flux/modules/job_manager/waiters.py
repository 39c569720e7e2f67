"""Who waits for jobs that are waitable (job-manager.wait), and ends that nobody has waited for yet. Pure."""

from errno import ECHILD, EINVAL
from typing import Any, Protocol

from flux.base.jobid import ANY
from flux.base.jobstate import Result
from flux.base.waitstatus import exit_code
from flux.modules.job_manager.job import Job


class Ear(Protocol):
    """Somebody who waits: a Call."""

    def respond(self, data: dict[str, Any]) -> None: ...
    def refuse(self, errnum: int, text: str) -> None: ...


class Waiters:
    """Each end is told once."""

    def __init__(self) -> None:
        self._active: dict[int, Ear | None] = {}
        self._ended: dict[int, dict[str, Any]] = {}
        self._any: dict[Ear, None] = {}

    def come(self, job: Job) -> None:
        """A waitable job is there."""
        if job.waitable:
            self._active[job.id] = None

    def wait(self, id: int, ear: Ear) -> bool:
        """Somebody waits for a job, or for any; says whether they have to. OSError(ECHILD) if that is in vain."""
        if id == ANY:
            if self._ended:
                ear.respond(self._ended.pop(next(iter(self._ended))))
                return False
            if len(self._any) >= sum(waits is None for waits in self._active.values()):
                raise OSError(ECHILD, "there are no more waitable jobs")
            self._any[ear] = None
            return True
        if id in self._ended:
            ear.respond(self._ended.pop(id))
            return False
        if id not in self._active:
            raise OSError(ECHILD, "invalid job id, or job may be inactive and not waitable")
        if self._active[id] is not None:
            raise OSError(EINVAL, "job id is already being waited on")
        self._active[id] = ear
        return True

    def leave(self, ear: Ear) -> None:
        """Somebody waits no more."""
        self._any.pop(ear, None)
        for id, other in self._active.items():
            if other is ear:
                self._active[id] = None

    def ended(self, job: Job) -> None:
        """A job is over."""
        if job.id not in self._active:
            return
        ear, told = self._active.pop(job.id), _told(job)
        if ear is None and self._any:
            ear = next(iter(self._any))
            del self._any[ear]
        if ear is not None:
            ear.respond(told)
        else:
            self._ended[job.id] = told
        if len(self._any) > sum(waits is None for waits in self._active.values()):
            last = next(reversed(self._any))
            del self._any[last]
            last.refuse(ECHILD, "there are no more waitable jobs")


def _told(job: Job) -> dict[str, Any]:
    success = job.result is Result.COMPLETED
    if success:
        why = ""
    elif job.exception is not None:
        why = f"Fatal exception type={job.exception['type']} {job.exception.get('note', '')}".rstrip()
    else:
        code = exit_code(job.status or 0)
        why = f"task(s) exited with exit code {code}" if code < 128 else f"task(s) killed by signal {code - 128}"
    return {"id": job.id, "success": success, "errstr": why}
