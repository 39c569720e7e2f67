"""Several jobs watched at once."""

import io
from typing import Any

import pytest

import flux
import flux.job
from flux.base.jobstate import Result, State
from flux.job import JobInfo, JobspecV1, JobWatcher
from flux.job.watcher import JobStatus

SAYS = JobspecV1.from_command(["sh", "-c", "echo out; echo err >&2; exit 3"])


def info(state: State, **told: Any) -> JobInfo:
    return JobInfo({"id": 1, "state": int(state), "t_submit": 1.0, **told})


@pytest.mark.parametrize(
    ("job", "status", "code"),
    [
        (info(State.SCHED), "pending", 0),
        (info(State.CLEANUP), "running", 0),
        (info(State.INACTIVE, result=int(Result.COMPLETED)), "complete", 0),
        (info(State.INACTIVE, result=int(Result.FAILED), waitstatus=512), "failed", 2),
        (info(State.INACTIVE, result=int(Result.CANCELED)), "failed", -128),
    ],
)
def test_a_job_has_a_simple_status(job: JobInfo, status: str, code: int) -> None:
    found = JobStatus(job)
    assert (found.status, found.exitcode, found.active) == (status, code, status in ("pending", "running"))
    found.add_event("start")
    assert (found.has_event("start"), found.event_count("start"), found.has_event("clean")) == (True, 1, False)
    with pytest.raises(ValueError):
        JobStatus("job")  # type: ignore[arg-type]


def test_output_goes_where_it_is_wanted(h: flux.Flux) -> None:
    out, err, own = io.StringIO(), io.StringIO(), io.StringIO()
    watcher = JobWatcher(h, stdout=out, stderr=err, labelio=True, log_status=True).start()
    first, second = (flux.job.submit(h, SAYS) for _ in range(2))
    watcher.add_jobs(flux.job.job_list_id(h, first).get_jobinfo()).add_jobid(second, stdout=own)
    h.reactor_run()
    assert out.getvalue() == f"{first}: 0: out\n"
    assert f"{first}: 0: err\n" in err.getvalue()
    assert "s: failed: status=768\n" in err.getvalue()
    assert {f"{second}: 0: out", f"{second}: 0: err"} <= set(own.getvalue().splitlines())
    assert watcher.stop().exitcode == 3


def test_a_callback_gets_output(h: flux.Flux) -> None:
    heard: list[tuple[int, Any, Any]] = []
    id = flux.job.submit(h, SAYS)
    JobWatcher(h, output_callback=lambda *said: heard.append(said)).add_jobid(id)
    h.reactor_run()
    assert sorted(heard[:-1]) == [(id, "stderr", "err\n"), (id, "stdout", "out\n")]
    assert heard[-1] == (id, None, None)


def test_a_job_is_watched_until_an_event(h: flux.Flux) -> None:
    err = io.StringIO()
    id = flux.job.submit(h, JobspecV1.from_command(["sleep", "inf"]))
    JobWatcher(h, wait="exec.shell.init", watch=False, log_events=True, stderr=err).add_jobid(id)
    h.reactor_run()
    names = [line.split(": ")[2].split()[0] for line in err.getvalue().splitlines()]
    assert names[0] == "submit"
    assert names[-1] == "exec.shell.init"
    assert "clean" not in names
    flux.job.cancel(h, id)


def test_a_job_that_never_ran_says_why(h: flux.Flux) -> None:
    err = io.StringIO()
    id = flux.job.submit(h, SAYS, urgency=0)
    watcher = JobWatcher(h, stderr=err)
    watcher.add_jobid(id)
    flux.job.cancel(h, id, "no need")
    h.reactor_run()
    assert err.getvalue() == "job.exception: type=cancel severity=0 no need\n"
    assert watcher.exitcode == 1
