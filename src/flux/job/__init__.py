"""Jobs: submit them, wait for them, look into them (flux-core's `flux.job`).

jobid = flux.job.submit(h, flux.job.JobspecV1.from_command(["hostname"], num_tasks=4))
flux.job.event_wait(h, jobid, "clean")
print(flux.job.job_output(h, jobid).stdout)

A handle is for one thread at a time; all of this works in any thread that has one of its own.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flux.eventlog import EventLogEvent
    from flux.job.batchconfig import BatchConfig
    from flux.job.constraint import ConstraintParser, ConstraintSyntaxError, MiniConstraintParser
    from flux.job.event import (
        MAIN_EVENTS,
        JobEventWatchFuture,
        JobException,
        event_wait,
        event_watch,
        event_watch_async,
    )
    from flux.job.executor import FluxExecutor, FluxExecutorFuture
    from flux.job.info import JobInfo, JobInfoFormat, job_fields_to_attrs
    from flux.job.JobID import JobID, id_encode, id_parse
    from flux.job.Jobspec import Jobspec, JobspecV1, validate_jobspec
    from flux.job.journal import JournalConsumer
    from flux.job.kill import cancel, cancel_async, job_raise, job_raise_async, kill, kill_async
    from flux.job.kvs import job_kvs, job_kvs_guest
    from flux.job.kvslookup import JobKVSLookup, job_info_lookup, job_kvs_lookup
    from flux.job.list import JobList, get_job, job_list, job_list_id, job_list_inactive
    from flux.job.output import (
        job_output,
        output_event_watch,
        output_event_watch_async,
        output_watch,
        output_watch_async,
        output_watch_lines,
        output_watch_lines_async,
    )
    from flux.job.stats import JobStats
    from flux.job.submit import SubmitFuture, submit, submit_async, submit_get_id
    from flux.job.timeleft import timeleft
    from flux.job.wait import (
        JobResultFuture,
        JobWaitFuture,
        JobWaitResult,
        result,
        result_async,
        wait,
        wait_async,
        wait_get_status,
    )
    from flux.job.watcher import JobWatcher

_WHERE = {
    "flux.eventlog": ("EventLogEvent",),
    "flux.job.JobID": ("JobID", "id_encode", "id_parse"),
    "flux.job.Jobspec": ("Jobspec", "JobspecV1", "validate_jobspec"),
    "flux.job.batchconfig": ("BatchConfig",),
    "flux.job.constraint": ("ConstraintParser", "ConstraintSyntaxError", "MiniConstraintParser"),
    "flux.job.event": (
        "MAIN_EVENTS",
        "JobEventWatchFuture",
        "JobException",
        "event_wait",
        "event_watch",
        "event_watch_async",
    ),
    "flux.job.executor": ("FluxExecutor", "FluxExecutorFuture"),
    "flux.job.info": ("JobInfo", "JobInfoFormat", "job_fields_to_attrs"),
    "flux.job.journal": ("JournalConsumer",),
    "flux.job.kill": ("cancel", "cancel_async", "job_raise", "job_raise_async", "kill", "kill_async"),
    "flux.job.kvs": ("job_kvs", "job_kvs_guest"),
    "flux.job.kvslookup": ("JobKVSLookup", "job_info_lookup", "job_kvs_lookup"),
    "flux.job.list": ("JobList", "get_job", "job_list", "job_list_id", "job_list_inactive"),
    "flux.job.output": (
        "job_output",
        "output_event_watch",
        "output_event_watch_async",
        "output_watch",
        "output_watch_async",
        "output_watch_lines",
        "output_watch_lines_async",
    ),
    "flux.job.stats": ("JobStats",),
    "flux.job.submit": ("SubmitFuture", "submit", "submit_async", "submit_get_id"),
    "flux.job.timeleft": ("timeleft",),
    "flux.job.wait": (
        "JobResultFuture",
        "JobWaitFuture",
        "JobWaitResult",
        "result",
        "result_async",
        "wait",
        "wait_async",
        "wait_get_status",
    ),
    "flux.job.watcher": ("JobWatcher",),
}
_FILES = {name: where for where, names in _WHERE.items() for name in names}
"""Each name with the file that it is in, which is imported when the name is first used."""

__all__ = [
    "MAIN_EVENTS",
    "BatchConfig",
    "ConstraintParser",
    "ConstraintSyntaxError",
    "EventLogEvent",
    "FluxExecutor",
    "FluxExecutorFuture",
    "JobEventWatchFuture",
    "JobException",
    "JobID",
    "JobInfo",
    "JobInfoFormat",
    "JobKVSLookup",
    "JobList",
    "JobResultFuture",
    "JobStats",
    "JobWaitFuture",
    "JobWaitResult",
    "JobWatcher",
    "Jobspec",
    "JobspecV1",
    "JournalConsumer",
    "MiniConstraintParser",
    "SubmitFuture",
    "cancel",
    "cancel_async",
    "event_wait",
    "event_watch",
    "event_watch_async",
    "get_job",
    "id_encode",
    "id_parse",
    "job_fields_to_attrs",
    "job_info_lookup",
    "job_kvs",
    "job_kvs_guest",
    "job_kvs_lookup",
    "job_list",
    "job_list_id",
    "job_list_inactive",
    "job_output",
    "job_raise",
    "job_raise_async",
    "kill",
    "kill_async",
    "output_event_watch",
    "output_event_watch_async",
    "output_watch",
    "output_watch_async",
    "output_watch_lines",
    "output_watch_lines_async",
    "result",
    "result_async",
    "submit",
    "submit_async",
    "submit_get_id",
    "timeleft",
    "validate_jobspec",
    "wait",
    "wait_async",
    "wait_get_status",
]


class _Package(ModuleType):
    """What `flux.job` is. Python makes each submodule an attribute when it is imported; here a class or a function of
    the same name (Jobspec, kill, wait, ...) goes before it."""

    def __setattr__(self, name: str, value: object) -> None:
        if isinstance(value, ModuleType) and _FILES.get(name) == value.__name__:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _FILES:
        found = globals()[name] = getattr(import_module(_FILES[name]), name)
        return found
    if not name.startswith("_"):
        try:
            return import_module(f"flux.job.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"flux.job.{name}":
                raise
    raise AttributeError(f"module 'flux.job' has no attribute '{name}'")
