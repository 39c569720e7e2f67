"""Submitting jobs (RFC 14, 25; flux_job_submit(3))."""

import json
import os
from errno import EINVAL
from typing import TYPE_CHECKING, Any

from flux.base.jobid import JobID
from flux.base.jobstate import DEBUG, DEFAULT, NOVALIDATE, WAITABLE
from flux.base.signed import wrap
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

SUBMIT = "job-ingest.submit"


class SubmitFuture(RPC):
    """A job that is on its way."""

    def get_id(self) -> JobID:
        """The job's id, when the submission is acknowledged; OSError says why it was refused."""
        return JobID(self.get()["id"])


def submission(
    jobspec: Any,
    urgency: int = DEFAULT,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
    novalidate: bool = False,
) -> dict[str, Any]:
    """The payload of SUBMIT. OSError(EINVAL) without a jobspec, TypeError for what cannot be one."""
    flags = DEBUG * debug | WAITABLE * waitable | NOVALIDATE * novalidate
    text = encoded(jobspec)
    return {"J": text.decode() if pre_signed else wrap(text, os.getuid()), "urgency": urgency, "flags": flags}


def submit_async(
    flux_handle: "Flux",
    jobspec: Any,
    urgency: int = DEFAULT,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
    novalidate: bool = False,
) -> SubmitFuture:
    """As `submit`. Returns a future, whose `get_id` gives the id.

    Many may be under way at once: it does not wait. `novalidate` leaves out the checks of the jobspec, which only the
    instance owner may do.
    """
    return SubmitFuture(flux_handle, SUBMIT, submission(jobspec, urgency, waitable, debug, pre_signed, novalidate))


def submit_get_id(future: SubmitFuture) -> JobID:
    """The id of a job that was submitted by `submit_async`, as soon as it has one; OSError says why it was refused."""
    if future is None:
        raise OSError(EINVAL, "future must not be None")
    return future.get_id()


def submit(
    flux_handle: "Flux",
    jobspec: Any,
    urgency: int = DEFAULT,
    waitable: bool = False,
    debug: bool = False,
    pre_signed: bool = False,
) -> JobID:
    """Submits a job, and returns its id as soon as it has one (flux_job_submit(3)).

    `jobspec` is a `flux.job.Jobspec`, or JSON (RFC 25) as str, bytes or a dict; with `pre_signed` it is signed already
    (RFC 15). `urgency` is 0 (held) to 31 (before all others), over 16 for the instance owner alone (RFC 30). `waitable`
    jobs can be waited for by `flux.job.wait`; `debug` jobs have more events. OSError: EINVAL for a jobspec that is not
    accepted, EPERM for what only the owner may, ENOSPC and others as the instance refuses; its text says why.
    """
    return submit_async(flux_handle, jobspec, urgency, waitable, debug, pre_signed).get_id()


def encoded(jobspec: Any) -> bytes:
    """A jobspec as JSON. OSError(EINVAL) without one, TypeError for what cannot be one."""
    if jobspec is None:
        raise OSError(EINVAL, "jobspec must not be None")
    if hasattr(jobspec, "dumps"):
        jobspec = jobspec.dumps()
    if isinstance(jobspec, dict):
        jobspec = json.dumps(jobspec)
    if isinstance(jobspec, str):
        return jobspec.encode("utf-8", errors="surrogateescape")
    if isinstance(jobspec, bytes):
        return jobspec
    raise TypeError("jobspec must be a Jobspec, an object, or JSON")
