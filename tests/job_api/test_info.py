"""What is shown of a job: its fields, by name, and lines of them."""

import io
import time
from datetime import datetime
from typing import Any

import pytest

from flux.base.jobid import JobID
from flux.base.jobstate import Result, State
from flux.eventlog import EventLogEvent
from flux.job import JobInfo, JobInfoFormat, job_fields_to_attrs
from flux.job.annotations import JobURI
from flux.job.info import resulttostr, statetostr, statustostr
from flux.job.instance import InstanceInfo
from flux.job.outcome import Outcome


def info(state: State = State.RUN, **told: Any) -> JobInfo:
    """A job."""
    return JobInfo({"id": 1234567, "userid": 0, "urgency": 16, "priority": 16, "state": int(state), **told})


def ended(result: Result, **told: Any) -> JobInfo:
    """One that is over."""
    return info(State.INACTIVE, result=int(result), **told)


def test_states_have_names() -> None:
    assert [statetostr(state, how) for state in (1, 64) for how in "LlSs"] == [
        *("NEW", "new", "N", "n"),
        *("INACTIVE", "inactive", "I", "i"),
    ]
    assert [resulttostr(result, "S") for result in (1, 2, 4, 8, "")] == ["CD", "F", "CA", "TO", ""]
    assert (statustostr(16, "", "L"), statustostr(64, 4, "L")) == ("RUN", "CANCELED")


def test_what_is_not_known_is_empty() -> None:
    job = info()
    assert (job.name, job.nodelist, job.result, job.returncode, job.t_run) == ("", "", "", "", 0.0)
    assert (str(job.user.color), f"{job.sched.x.y:>3d}", job.uri, job.inactive_reason) == ("", "   ", None, "")
    assert (job.state, job.status_abbrev, job.username, job.id.f58) == ("RUN", "R", "root", JobID(1234567).f58)
    with pytest.raises(AttributeError, match="invalid JobInfo attribute 'colour'"):
        _ = job.colour


@pytest.mark.parametrize(
    ("job", "code", "reason"),
    [
        (ended(Result.COMPLETED, waitstatus=0), 0, "Exit 0"),
        (ended(Result.FAILED, waitstatus=3 << 8), 3, "Exit 3"),
        (ended(Result.FAILED, waitstatus=9), -9, "Killed"),
        (ended(Result.FAILED, waitstatus=137 << 8), 137, "Killed"),
        (ended(Result.FAILED, waitstatus=127 << 8), 127, "command not found"),
        (ended(Result.CANCELED), -128, "Canceled"),
        (
            ended(Result.CANCELED, exception_occurred=True, exception_type="cancel", exception_note="why"),
            -128,
            "Canceled: why",
        ),
        (ended(Result.TIMEOUT, waitstatus=14), -14, "Timeout"),
        (
            ended(
                Result.FAILED,
                exception_occurred=True,
                exception_severity=0,
                exception_type="alloc",
                exception_note="no",
            ),
            1,
            "Exception: type=alloc note=no",
        ),
    ],
)
def test_an_end_has_a_code_and_a_reason(job: JobInfo, code: int, reason: str) -> None:
    assert (job.returncode, job.inactive_reason) == (code, reason)


def test_what_it_waits_for_is_said() -> None:
    soon = {"sched": {"t_estimate": time.time() + 90.5}}
    assert info(State.SCHED, annotations=soon).contextual_info.startswith("eta:1.5")
    assert info(State.SCHED, urgency=0).contextual_info == "held"
    assert info(State.SCHED, priority=0).contextual_info == "priority-hold"
    assert info(State.SCHED).contextual_info == ""
    assert info(State.PRIORITY).contextual_info == "priority-wait"
    today = datetime.now().replace(hour=23, minute=59, second=0, microsecond=0)
    waits = info(State.DEPEND, dependencies=["after:f1", f"begin-time={today.timestamp()}", "begin-time=0.0"])
    assert waits.contextual_info.startswith("depends:after:f1,begin@23:59,begin@")
    assert info(nodelist="n[0-1]").contextual_info == "n[0-1]"


def test_times_follow_from_others() -> None:
    job = ended(Result.COMPLETED, t_run=10.0, t_cleanup=12.5, duration=60.0)
    assert (job.runtime, job.contextual_time, job.t_remaining) == (2.5, 2.5, 0.0)
    assert info(State.SCHED, duration=60.0).contextual_time == 60.0
    assert 50 < info(t_run=time.time() - 60, expiration=time.time() + 60).t_remaining <= 60
    assert info(t_run=time.time() - 60).get_runtime() >= 60


def test_all_of_it_is_a_dict() -> None:
    job = ended(Result.COMPLETED, waitstatus=0, name="n", annotations={"user": {"uri": "local:///x", "a": 1}})
    told = job.to_dict()
    assert told["jobid"] == JobID(1234567).f58
    assert (told["name"], told["uri"], told["annotations"]) == ("n", "local:///x", {"user": {"a": 1}})
    assert told["exception"] == {"occurred": False}
    assert "t_run" not in told and "queue" not in told
    whole = job.to_dict(filtered=False)
    assert (whole["t_run"], whole["queue"]) == (0.0, "")


def test_an_instance_that_nobody_reaches_is_empty() -> None:
    found = InstanceInfo(JobURI("local:///no/such"))
    assert not found.initialized
    assert (str(found.stats.total), found.utilization, found.progress) == ("", "", "")
    assert (info().get_instance_info().instance.progress, JobURI("ssh://h/a/b").local) == ("", "local:///a/b")
    assert JobURI("local:///a").remote.startswith("ssh://")


# -- lines ------------------------------------------------------------------------------------------------------------


def test_jobs_are_lines() -> None:
    jobs = [info(name="one", annotations={"user": {"x": 7}}), ended(Result.FAILED, waitstatus=256)]
    wanted = JobInfoFormat("{id.dec} {name:<4}|{returncode:>2h} {annotations.user.x} {exception.type:h}")
    assert wanted.header() == "JOBID NAME|RC USER.X EXCEPTION-TYPE"
    out = io.StringIO()
    wanted.print_items(jobs, file=out)
    assert out.getvalue() == f"{wanted.header()}\n1234567 one | - 7 -\n1234567     | 1  -\n"
    assert wanted.format(jobs[0]) == "1234567 one | - 7 -"
    with pytest.raises(ValueError, match="Unknown format field: colour"):
        JobInfoFormat("{colour}")


def test_fields_are_made_of_attributes() -> None:
    assert job_fields_to_attrs(["id.f58", "returncode", "annotations.user.x", "instance.progress"]) == {
        *("waitstatus", "result", "annotations", "state"),
    }
    with pytest.raises(KeyError):
        job_fields_to_attrs(["colour"])


# -- what a job came to -----------------------------------------------------------------------------------------------


def told(*events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """What events say of a job."""
    outcome = Outcome(JobID(1))
    for number, (name, context) in enumerate(events):
        outcome.apply(EventLogEvent({"name": name, "timestamp": float(number + 1), "context": context}))
    return outcome.told()


def exception(type: str, severity: int) -> tuple[str, dict[str, Any]]:
    return "exception", {"type": type, "severity": severity}


def test_the_worst_exception_counts() -> None:
    found = told(("submit", {}), exception("mine", 3), exception("cancel", 0), exception("other", 5))
    assert (found["exception_type"], found["result"]) == ("cancel", Result.CANCELED)
    assert told(("submit", {}), ("alloc", {}), exception("mine", 3), ("finish", {"status": 0})) == {
        "id": 1,
        "t_submit": 1.0,
        "t_run": 2.0,
        "t_cleanup": 4.0,
        "waitstatus": 0,
        "result": Result.COMPLETED,
        "exception_occurred": True,
        "exception_severity": 3,
        "exception_type": "mine",
        "exception_note": "",
    }
    assert told(exception("timeout", 0))["result"] == Result.TIMEOUT
    assert told(("alloc", {}), ("finish", {"status": 256}))["result"] == Result.FAILED
