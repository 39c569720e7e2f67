"""Waiting for jobs that were submitted as waitable (flux_job_wait(3))."""

from typing import TYPE_CHECKING, NamedTuple

from flux.base.jobid import ANY, JobID
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux


class JobWaitResult(NamedTuple):
    """What a job came to."""

    jobid: JobID
    success: bool
    errstr: bytes


class WaitFuture(RPC):
    """The end of a job."""

    def get_status(self) -> JobWaitResult:
        """What it came to. OSError(ECHILD) if there is nobody to wait for."""
        told = self.get()
        return JobWaitResult(JobID(told["id"]), told["success"], told["errstr"].encode())


def wait_async(flux_handle: "Flux", jobid: int | str = ANY) -> WaitFuture:
    """Waits for a job, or for any (the default)."""
    return WaitFuture(flux_handle, "job-manager.wait", {"id": _signed(JobID(jobid))})


def wait_get_status(future: WaitFuture) -> JobWaitResult:
    """What a job came to that was waited for by `wait_async`."""
    return future.get_status()


def wait(flux_handle: "Flux", jobid: int | str = ANY) -> JobWaitResult:
    """Waits for a job, or for any, and returns (jobid, success, errstr)."""
    return wait_async(flux_handle, jobid).get_status()


def _signed(id: int) -> int:
    """As today's clients send it: any job is -1."""
    return -1 if id == ANY else id
