"""Programs as users of flux-core write them, unmodified."""

import pytest

from tests.session import Session

SUBMIT_AND_WAIT = """
import os
import flux
import flux.job
from flux.job import JobspecV1
from flux.job.JobID import JobID

f = flux.Flux()
compute_jobreq = JobspecV1.from_command(command=["echo", "10"], num_tasks=2, num_nodes=2, cores_per_task=1)
compute_jobreq.cwd = os.getcwd()
compute_jobreq.environment = dict(os.environ)
jobs = [flux.job.submit(f, compute_jobreq, waitable=True) for _ in range(2)]
assert all(JobID(job).f58.startswith("ƒ") for job in jobs)
while True:
    try:
        jobid, success, errstr = flux.job.wait(f)
    except OSError:
        break
    print(jobid in jobs, success, errstr)
"""
BULK = """
import concurrent.futures
import flux.job as fj

with fj.FluxExecutor(threads=2) as executor:
    jobspec = fj.JobspecV1.from_command(["/bin/true"])
    futures = [executor.submit(jobspec) for _ in range(5)]
    for fut in concurrent.futures.as_completed(futures):
        if fut.exception() is not None:
            print(fut.exception())
    print(sum(fut.result() for fut in futures), len({int(fut.jobid()) for fut in futures}))
"""
EVENTS = """
import flux, flux.job
import flux.job.event

def event_cb(future, jobid):
    event = future.get_event()
    if event is None:
        future.get_flux().reactor_stop()
    elif event.name in flux.job.MAIN_EVENTS and event.name != "priority":
        print(flux.job.id_encode(jobid, "dec") == str(int(jobid)), event.name)

handle = flux.Flux()
jobid = flux.job.submit_get_id(flux.job.submit_async(handle, flux.job.JobspecV1.from_command(["true"])))
flux.job.event_watch_async(handle, jobid).then(event_cb, jobid)
handle.reactor_run()
print(flux.job.kill.__name__, flux.job.Jobspec.__name__, flux.job.list.JobList.__name__)
"""
STATUS = """
import flux
import flux.resource
from flux.job import JobList
from flux.resource.ResourceSet import ResourceSet

handle = flux.Flux()
rlist = flux.resource.list.resource_list(handle).get()
print(rlist.all.nnodes, rlist.up.nnodes, isinstance(rlist.free, ResourceSet))
print(flux.resource.status.resource_status(handle).get().offline)
print(all(job.to_dict()["state"] == "INACTIVE" for job in JobList(handle, filters=["inactive"]).jobs()))
"""
LEAVING = """
import flux.job as fj

executor = fj.FluxExecutor()
executor.submit(fj.JobspecV1.from_command(["true"])).add_done_callback(lambda future: print("done", future.result()))
print("leaving")
"""
SAID = [
    "True True b''\nTrue True b''\n",
    "0 5\n",
    "".join(f"True {name}\n" for name in ("submit", "depend", "alloc", "start", "finish", "release", "free", "clean"))
    + "kill Jobspec JobList\n",
    "2 2 True\n\nTrue\n",
    "leaving\ndone 0\n",
]
PROGRAMS = [SUBMIT_AND_WAIT, BULK, EVENTS, STATUS, LEAVING]


@pytest.mark.parametrize(("program", "said"), list(zip(PROGRAMS, SAID, strict=True)))
def test_a_users_program_runs_as_it_is(session: Session, program: str, said: str) -> None:
    assert session.flux("python", "-c", program) == (0, said, "")
