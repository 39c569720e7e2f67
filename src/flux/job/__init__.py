"""Jobs: submit them, wait for them, look into them (flux-core's `flux.job`).

jobid = flux.job.submit(h, flux.job.JobspecV1.from_command(["hostname"], num_tasks=4))
flux.job.event_wait(h, jobid, "clean")
print(flux.job.job_output(h, jobid).stdout)
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flux.base.jobid import JobID
    from flux.job.event import (
        JobException,
        event_wait,
        event_watch,
        event_watch_async,
    )
    from flux.job.info import job_info_lookup
    from flux.job.Jobspec import Jobspec, JobspecV1
    from flux.job.kill import (
        cancel,
        cancel_async,
        job_raise,
        job_raise_async,
        kill,
        kill_async,
    )
    from flux.job.submit import SubmitFuture, submit, submit_async, submit_get_id
    from flux.job.wait import JobWaitResult, wait, wait_async, wait_get_status

_WHERE = {
    "flux.base.jobid": ("JobID",),
    "flux.job.Jobspec": ("Jobspec", "JobspecV1"),
    "flux.job.event": ("JobException", "event_wait", "event_watch", "event_watch_async"),
    "flux.job.info": ("job_info_lookup",),
    "flux.job.kill": ("cancel", "cancel_async", "job_raise", "job_raise_async", "kill", "kill_async"),
    "flux.job.submit": ("SubmitFuture", "submit", "submit_async", "submit_get_id"),
    "flux.job.wait": ("JobWaitResult", "wait", "wait_async", "wait_get_status"),
}
_FILES = {name: where for where, names in _WHERE.items() for name in names}
"""Each name with the file that it is in, which is imported when the name is first used."""

__all__ = [
    "JobException",
    "JobID",
    "JobWaitResult",
    "Jobspec",
    "JobspecV1",
    "SubmitFuture",
    "cancel",
    "cancel_async",
    "event_wait",
    "event_watch",
    "event_watch_async",
    "job_info_lookup",
    "job_raise",
    "job_raise_async",
    "kill",
    "kill_async",
    "submit",
    "submit_async",
    "submit_get_id",
    "wait",
    "wait_async",
    "wait_get_status",
]


def __getattr__(name: str) -> object:
    if name not in _FILES:
        raise AttributeError(f"module 'flux.job' has no attribute '{name}'")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(_FILES[name]), name)
    return found
