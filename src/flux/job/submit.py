"""Submitting jobs (RFC 14, 25; flux_job_submit(3))."""

import json
import os
from typing import TYPE_CHECKING, Any

from flux.base.jobid import JobID
from flux.base.jobstate import DEBUG, NOVALIDATE, WAITABLE
from flux.base.signed import wrap
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

URGENCY = 16
PRE_SIGNED = 1


class SubmitFuture(RPC):
    """A job that is on its way."""

    def get_id(self) -> JobID:
        """The job's id, when the submission is acknowledged; OSError says why it was refused."""
        return JobID(self.get()["id"])


def submit_async(
    flux_handle: "Flux",
    jobspec: Any,
    urgency: int = URGENCY,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
    novalidate: bool = False,
) -> SubmitFuture:
    """Submits a job: a Jobspec, an object, or JSON as str or bytes; `pre_signed`: J itself."""
    flags = DEBUG * debug | WAITABLE * waitable | NOVALIDATE * novalidate
    J = _text(jobspec).decode() if pre_signed else wrap(_text(jobspec), os.getuid())
    return SubmitFuture(flux_handle, "job-ingest.submit", {"J": J, "urgency": urgency, "flags": flags})


def submit_get_id(future: SubmitFuture) -> JobID:
    """The id of a job that was submitted by `submit_async`."""
    return future.get_id()


def submit(
    flux_handle: "Flux",
    jobspec: Any,
    urgency: int = URGENCY,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
) -> JobID:
    """Submits a job, and returns its id."""
    return submit_async(flux_handle, jobspec, urgency, waitable, debug, pre_signed).get_id()


def _text(jobspec: Any) -> bytes:
    if jobspec is None:
        raise OSError(22, "jobspec must not be None")
    if hasattr(jobspec, "dumps"):
        jobspec = jobspec.dumps()
    if isinstance(jobspec, dict):
        jobspec = json.dumps(jobspec)
    if isinstance(jobspec, str):
        return jobspec.encode("utf-8", errors="surrogateescape")
    if isinstance(jobspec, bytes):
        return jobspec
    raise TypeError("jobspec must be a Jobspec, an object, or JSON")
