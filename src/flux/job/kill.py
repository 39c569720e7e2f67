"""Signals and exceptions (flux_job_kill(3), flux_job_raise(3))."""

import signal
from typing import TYPE_CHECKING

from flux.base.jobid import JobID
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux


def kill_async(flux_handle: "Flux", jobid: int | str, signum: int | None = None) -> RPC:
    """Signals the tasks of a running job, by default with SIGTERM."""
    number = signal.SIGTERM if signum is None else signum
    return RPC(flux_handle, "job-manager.kill", {"id": JobID(jobid), "signum": int(number)})


def kill(flux_handle: "Flux", jobid: int | str, signum: int | None = None) -> None:
    """Signals the tasks of a running job. OSError says why not."""
    kill_async(flux_handle, jobid, signum).get()


def job_raise_async(
    flux_handle: "Flux", jobid: int | str, exception_type: str, severity: int = 0, reason: str | None = None
) -> RPC:
    """Raises an exception on a job; with severity 0 that is its end."""
    told = {"id": JobID(jobid), "type": exception_type, "severity": severity, "note": reason or ""}
    return RPC(flux_handle, "job-manager.raise", told)


def job_raise(
    flux_handle: "Flux", jobid: int | str, exception_type: str, severity: int = 0, reason: str | None = None
) -> None:
    """Raises an exception on a job. OSError says why not."""
    job_raise_async(flux_handle, jobid, exception_type, severity, reason).get()


def cancel_async(flux_handle: "Flux", jobid: int | str, reason: str | None = None) -> RPC:
    """Cancels a job."""
    return job_raise_async(flux_handle, jobid, "cancel", 0, reason)


def cancel(flux_handle: "Flux", jobid: int | str, reason: str | None = None) -> None:
    """Cancels a job. OSError says why not."""
    cancel_async(flux_handle, jobid, reason).get()
