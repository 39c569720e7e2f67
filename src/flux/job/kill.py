"""Signals and exceptions (RFC 21; flux_job_kill(3), flux_job_raise(3), flux_job_cancel(3))."""

import signal
from typing import TYPE_CHECKING, Any

from flux.base.jobid import JobID
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

KILL, RAISE = "job-manager.kill", "job-manager.raise"


def killing(jobid: int | str, signum: int | None) -> dict[str, Any]:
    """The payload of KILL."""
    return {"id": JobID(jobid), "signum": int(signum or signal.SIGTERM)}


def raising(jobid: int | str, exc_type: str, severity: int, note: str | None) -> dict[str, Any]:
    """The payload of RAISE."""
    return {"id": JobID(jobid), "type": exc_type, "severity": severity, "note": note or ""}


def kill_async(flux_handle: "Flux", jobid: int | str, signum: int | None = None) -> RPC:
    """As `kill`. Returns a future that is fulfilled when the signal is delivered."""
    return RPC(flux_handle, KILL, killing(jobid, signum))


def kill(flux_handle: "Flux", jobid: int | str, signum: int | None = None) -> None:
    """Signals all tasks of a running job: `signum`, by default SIGTERM (flux_job_kill(3)).

    ValueError for what is no job id. OSError: ENOENT for a job that is not active, EINVAL for one that does not run,
    EPERM for somebody else's.
    """
    kill_async(flux_handle, jobid, signum).get()


def job_raise_async(
    flux_handle: "Flux", jobid: int | str, exc_type: str, severity: int = 0, note: str | None = None
) -> RPC:
    """As `job_raise`. Returns a future that is fulfilled when the exception is raised."""
    return RPC(flux_handle, RAISE, raising(jobid, exc_type, severity, note))


def job_raise(flux_handle: "Flux", jobid: int | str, exc_type: str, severity: int = 0, note: str | None = None) -> None:
    """Raises an exception on an active job (flux_job_raise(3)).

    `exc_type` is a word for programs, `note` a sentence for people, `severity` 0 (it ends the job) to 7.
    OSError: ENOENT for a job that is not active, EPERM for somebody else's, EINVAL for a bad type or severity.
    """
    job_raise_async(flux_handle, jobid, exc_type, severity, note).get()


def cancel_async(flux_handle: "Flux", jobid: int | str, reason: str | None = None) -> RPC:
    """As `cancel`. Returns a future that is fulfilled when the job is told to end."""
    return job_raise_async(flux_handle, jobid, "cancel", 0, reason)


def cancel(flux_handle: "Flux", jobid: int | str, reason: str | None = None) -> None:
    """Cancels a job that waits or runs, with a `reason` for people (flux_job_cancel(3)).

    Returns when it is told, not when it has ended: `flux.job.event_wait(h, jobid, "clean")` waits for that.
    OSError: ENOENT for a job that is not active, EPERM for somebody else's.
    """
    cancel_async(flux_handle, jobid, reason).get()
