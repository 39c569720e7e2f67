"""`flux job explain`: why a job waits, or why it failed."""

import time
from typing import Any

from flux.base.iodata import decode
from flux.base.jobid import JobID
from flux.base.jobstate import State
from flux.base.outputformat import duration
from flux.base.waitstatus import exit_code
from flux.commands.complaint import complain
from flux.core.handle import Flux
from flux.eventlog import EventLogEvent
from flux.job.info import text

LINES = 10
"""Of stderr that are shown."""


def explain(handle: Flux, id: JobID) -> int:
    """Prints it."""
    try:
        job = handle.rpc("job-list.list-id", {"id": id, "attrs": ["all"]}).get()["job"]
    except OSError:
        complain("flux-job", f"{id.f58}: no such job")
        return 1
    state = State(job["state"])
    if state == State.INACTIVE:
        _ended(handle, id, job)
    elif state & State.RUNNING:
        print(f"{id.f58} runs on {job.get('nodelist', '?')} since {duration(time.time() - job['t_run'])}")
    else:
        _waits(handle, id, job, state)
    return 0


def _waits(handle: Flux, id: JobID, job: dict[str, Any], state: State) -> None:
    if state == State.DEPEND:
        print(f"{id.f58} waits for {', '.join(job.get('dependencies', ['?']))}")
        return
    if job.get("priority") == 0:
        print(f"{id.f58} is held: flux job urgency {id.f58} default lets it go")
        return
    queue = handle.rpc("job-manager.queue-status", {"name": job["queue"]} if job.get("queue") else {}).get()
    if not queue["start"]:
        print(f"{id.f58} waits: its queue is stopped{': ' + queue['stop_reason'] if queue.get('stop_reason') else ''}")
        return
    try:
        told = handle.rpc("sched.explain", {"id": id}).get()
    except OSError:
        print(f"{id.f58} waits for the scheduler, which does not say why")
        return
    if not told["waits"]:
        print(f"{id.f58} is about to start")
        return
    ahead = told["ahead"]
    lack = told.get("lack", "").removeprefix("unsatisfiable request: ")
    print(f"{id.f58} waits: {lack} free now" if lack else f"{id.f58} waits for those before it")
    if ahead:
        print(f"{ahead} jobs are before it" if ahead > 1 else "1 job is before it")
    if "t_estimate" in told:
        print(f"it starts in {duration(max(0.0, told['t_estimate'] - time.time()))} at the earliest")


def _ended(handle: Flux, id: JobID, job: dict[str, Any]) -> None:
    if job.get("success"):
        print(f"{id.f58} ended well")
        return
    if job.get("exception_type"):
        note = job.get("exception_note") or ""
        print(f"{id.f58} failed: exception {job['exception_type']}{': ' + note if note else ''}")
    status = job.get("waitstatus")
    if status is not None:
        code = exit_code(status)
        how = f"exited with {code}" if code < 128 else f"was ended by signal {code - 128}"
        print(f"{id.f58}: the task that did worst {how}, on {job.get('nodelist', '?')}")
    for line in _last_words(handle, id):
        print(f"  stderr: {line}")


def _last_words(handle: Flux, id: JobID) -> list[str]:
    try:
        lines = text(handle, id, "guest.output").splitlines()
    except OSError:
        return []
    said = b""
    for line in lines:
        event = EventLogEvent(line)
        if event.name == "data" and event.context.get("stream") == "stderr":
            said += decode(event.context).data
    return said.decode(errors="replace").splitlines()[-LINES:]
