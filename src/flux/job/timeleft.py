"""How long a job may still run (flux_job_timeleft(3))."""

import os
import time
from errno import ENOENT
from math import inf
from typing import TYPE_CHECKING, Any

from flux.base.jobid import JobID

if TYPE_CHECKING:
    from flux.core.handle import Flux

LIST_ID = "job-list.list-id"
INSTANCE_R = "resource.R"
"""The key of what an instance has."""


def asking(id: str) -> dict[str, Any]:
    """The payload of LIST_ID."""
    return {"id": JobID(id), "attrs": ["expiration", "state"]}


def left(expiration: float | None) -> float:
    """Seconds until then; no time at all is no limit."""
    return max(0.0, expiration - time.time()) if expiration else inf


def own_job() -> str | None:
    """The job that this process belongs to, if it does to one."""
    return os.environ.get("FLUX_JOB_ID")


def no_job() -> OSError:
    """The error of who is not in a job."""
    return OSError(ENOENT, "this process does not belong to a job (FLUX_JOB_ID is not set), nor does the instance")


def timeleft(flux_handle: "Flux | None" = None) -> float:
    """Seconds that the job which this process belongs to may still run, or the instance, if that is a job.

    `inf` without a time limit. Without a handle it connects to the instance around. OSError(ENOENT) outside of jobs.
    """
    if flux_handle is None:
        from flux.core.handle import Flux

        with Flux() as own:
            return timeleft(own)
    id = own_job()
    if id is not None:
        told = flux_handle.rpc(LIST_ID, asking(id)).get()["job"]
        return left(told.get("expiration"))
    try:
        flux_handle.attr_get("jobid")
    except FileNotFoundError:
        raise no_job() from None
    import flux.kvs

    return left(flux.kvs.get(flux_handle, INSTANCE_R)["execution"].get("expiration"))
