"""Waiting for jobs (flux_job_wait(3), flux_job_result(3))."""

from errno import EINVAL
from typing import TYPE_CHECKING, Any, NamedTuple

from flux.base.jobid import ANY, JobID
from flux.future import FutureExt
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.job.event import JobEventWatchFuture
    from flux.job.info import JobInfo

WAIT = "job-manager.wait"


class JobWaitResult(NamedTuple):
    """What a job came to: its id, whether all is well, else why not."""

    jobid: JobID
    success: bool
    errstr: bytes


def waiting(jobid: int | str) -> dict[str, int]:
    """The payload of WAIT, in which any job is -1."""
    id = JobID(jobid)
    return {"id": -1 if id == ANY else int(id)}


def came_to(answer: dict[str, Any]) -> JobWaitResult:
    """Reads the answer to WAIT."""
    return JobWaitResult(JobID(answer["id"]), answer["success"], answer["errstr"].encode())


class JobWaitFuture(RPC):
    """The end of a waitable job. `wait_async` makes one."""

    def get_status(self) -> JobWaitResult:
        """What it came to. OSError(ECHILD) if there is nobody to wait for."""
        return came_to(self.get())


def wait_async(flux_handle: "Flux", jobid: int | str = ANY) -> JobWaitFuture:
    """As `wait`. Returns a future, whose `get_status` gives (jobid, success, errstr)."""
    return JobWaitFuture(flux_handle, WAIT, waiting(jobid))


def wait_get_status(future: JobWaitFuture) -> JobWaitResult:
    """What a job came to that is waited for by `wait_async`: (jobid, success, errstr), when it has ended."""
    if future is None:
        raise OSError(EINVAL, "future must not be None")
    return future.get_status()


def wait(flux_handle: "Flux", jobid: int | str = ANY) -> JobWaitResult:
    """Waits for the end of a job that was submitted as `waitable`, or of any such job (flux_job_wait(3)).

    Returns (jobid, success, errstr): `errstr` says, as bytes, what went wrong. Each job can be waited for once. For
    the instance owner alone. OSError: ECHILD if there is no such job, or nobody left to wait for.
    """
    return wait_async(flux_handle, jobid).get_status()


# -- results: of any job, as often as one likes -----------------------------------------------------------------------


class JobResultFuture(FutureExt):
    """The result of a job. `result_async` makes one."""

    def __init__(self, flux_handle: "Flux", jobid: int | str) -> None:
        from flux.job.outcome import Outcome

        self._outcome = Outcome(JobID(jobid))
        super().__init__(self._watch, flux_handle=flux_handle)

    def get_dict(self) -> dict[str, Any]:
        """What is known at the end, when it has come: id, t_submit, t_run, t_cleanup (seconds since 1970), waitstatus
        (as of wait(2)), result (1 completed, 2 failed, 4 canceled, 8 timeout), exception_occurred, _severity, _type,
        _note. OSError: ENOENT for an unknown job, EPERM for somebody else's."""
        return dict(self.get())

    def get_info(self) -> "JobInfo":
        """The same as a `JobInfo`; what it does not know of is empty there."""
        from flux.job.info import JobInfo

        return JobInfo(self.get_dict())

    def _watch(self, _: FutureExt) -> None:
        from flux.job.event import event_watch_async

        handle = self.get_flux()
        assert handle is not None
        event_watch_async(handle, self._outcome.id).then(self._heard)

    def _heard(self, watch: "JobEventWatchFuture") -> None:
        try:
            event = watch.get_event()
        except OSError as error:
            self.fulfill_error(error.errno or EINVAL, error.strerror)
            return
        if event is None:
            self.fulfill(self._outcome.told())
        else:
            self._outcome.apply(event)


def result_async(flux_handle: "Flux", jobid: int | str, flags: int = 0) -> JobResultFuture:
    """As `result`. Returns a future, whose `get_info` gives a `JobInfo`, `get_dict` the same as a dict."""
    return JobResultFuture(flux_handle, jobid)


def result(flux_handle: "Flux", jobid: int | str, flags: int = 0) -> "JobInfo":
    """Waits for the end of a job, and says how it ended (flux_job_result(3)).

    Works for any job, also one that is over, as often as one likes; it reads the job's events for that. Returns a
    `JobInfo` that has id, t_submit, t_run, t_cleanup, runtime, waitstatus, returncode, result, exception. `flags` are
    for later. OSError: ENOENT for an unknown job, EPERM for somebody else's.
    """
    return result_async(flux_handle, jobid, flags).get_info()
