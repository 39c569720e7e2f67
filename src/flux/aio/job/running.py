"""Jobs that are submitted, waited for, and ended."""

from typing import Any

from flux.aio.handle import Handle
from flux.aio.job.events import event_watch
from flux.base.jobid import ANY, JobID
from flux.base.jobstate import DEFAULT
from flux.job.info import JobInfo
from flux.job.kill import KILL, RAISE, killing, raising
from flux.job.outcome import Outcome
from flux.job.submit import SUBMIT, submission
from flux.job.wait import WAIT, JobWaitResult, came_to, waiting


async def submit(
    handle: Handle,
    jobspec: Any,
    urgency: int = DEFAULT,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
    novalidate: bool = False,
) -> JobID:
    """Submits a job, and returns its id as soon as it has one, as `flux.job.submit` does.

    Many at once: `await asyncio.gather(*(submit(h, spec) for spec in specs))`.
    """
    asked = submission(jobspec, urgency, waitable, debug, pre_signed, novalidate)
    return JobID((await handle.rpc(SUBMIT, asked))["id"])


async def wait(handle: Handle, jobid: int | str = ANY) -> JobWaitResult:
    """Waits for a job that was submitted as `waitable`, or any such: (jobid, success, errstr), as `flux.job.wait`."""
    return came_to(await handle.rpc(WAIT, waiting(jobid)))


async def result(handle: Handle, jobid: int | str) -> JobInfo:
    """Waits for the end of any job, and says how it ended, as `flux.job.result` does."""
    outcome = Outcome(JobID(jobid))
    async for event in event_watch(handle, outcome.id):
        outcome.apply(event)
    return JobInfo(outcome.told())


async def kill(handle: Handle, jobid: int | str, signum: int | None = None) -> None:
    """Signals all tasks of a running job, by default with SIGTERM, as `flux.job.kill` does."""
    await handle.rpc(KILL, killing(jobid, signum))


async def job_raise(
    handle: Handle, jobid: int | str, exc_type: str, severity: int = 0, note: str | None = None
) -> None:
    """Raises an exception on a job, as `flux.job.job_raise` does."""
    await handle.rpc(RAISE, raising(jobid, exc_type, severity, note))


async def cancel(handle: Handle, jobid: int | str, reason: str | None = None) -> None:
    """Cancels a job; returns when it is told, as `flux.job.cancel` does."""
    await job_raise(handle, jobid, "cancel", 0, reason)
