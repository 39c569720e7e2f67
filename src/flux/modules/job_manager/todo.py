"""What is to be done for a job as it is now. Pure; asked after every event, and it may be asked twice."""

from typing import Any, NamedTuple

from flux.base.jobstate import State, priority_of
from flux.modules.job_manager.job import Job


class Post(NamedTuple):
    """An event follows."""

    name: str
    context: dict[str, Any] | None = None


class Allocate(NamedTuple):
    """The scheduler is to be asked."""


class Withdraw(NamedTuple):
    """The scheduler need not answer any more."""


class Start(NamedTuple):
    """Who executes is to be asked."""


class Free(NamedTuple):
    """The scheduler gets everything back."""


Action = Post | Allocate | Withdraw | Start | Free


def todo(job: Job, *, scheduling: bool) -> Action | None:
    """The next thing, if there is any. `scheduling`: whether the job's queue is started."""
    match job.state:
        case State.DEPEND if not job.dependencies:
            return Post("depend")
        case State.PRIORITY:
            return Post("priority", {"priority": priority_of(job.urgency)})
        case State.SCHED:
            return _sched(job, scheduling)
        case State.RUN if job.ready and not job.prologs and not job.start_asked and not job.started:
            return Start()
        case State.CLEANUP:
            return _cleanup(job)
    return None


def _sched(job: Job, scheduling: bool) -> Action | None:
    wanted = scheduling and job.priority > 0
    if job.alloc_asked != wanted:
        return Allocate() if wanted else Withdraw()
    return None


def _cleanup(job: Job) -> Action | None:
    """A job is clean when nothing runs, no epilog does, and the scheduler has what it had."""
    if job.alloc_asked:
        return Withdraw()
    if job.start_asked and not job.released:
        return None
    if job.prologs or job.epilogs:
        return None
    if job.R is not None and not job.freed:
        return Free()
    return Post("clean")
