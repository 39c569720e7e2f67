"""The manager's core, told what the scheduler and who executes say: what it asks of them, what it notes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flux.base.jobspec import Jobspec
from flux.base.jobstate import WAITABLE, State
from flux.base.kvswrites import Writes
from flux.modules.job_manager.core import Jobs
from flux.modules.job_manager.job import Job
from flux.modules.job_manager.queues import Queues

SPEC: dict[str, Any] = {
    "resources": [{"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}], "label": "task"}],
    "tasks": [{"command": ["true"], "slot": "task", "count": {"per_slot": 1}}],
    "attributes": {"system": {"duration": 0}},
    "version": 1,
}
R = {"version": 1, "execution": {"R_lite": [{"rank": "0", "children": {"core": "0"}}], "nodelist": ["a"]}}


def spec(**system: Any) -> dict[str, Any]:
    return {**SPEC, "attributes": {"system": {"duration": 0, **system}}}


class Recorder:
    """The ways of the core: notes what is asked of others."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.events: dict[int, list[dict[str, Any]]] = {}
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.now = 1000.0
        self.over: list[int] = []
        self.jobs = Jobs(self, Queues(), Writes())

    def wall(self) -> float:
        return self.now

    def at(self, time: float, do: Callable[[], None]) -> None:
        self.timers.append((time, do))

    def journal(self, job: Job, event: dict[str, Any]) -> None:
        self.events.setdefault(job.id, []).append(event)

    def soon(self, *, hurry: bool) -> None:
        pass

    def allocate(self, job: Job) -> None:
        self.asked.append(("allocate", job.id))

    def withdraw(self, job: Job) -> None:
        self.asked.append(("withdraw", job.id))

    def prioritize(self, job: Job) -> None:
        self.asked.append(("prioritize", job.id))

    def execute(self, job: Job) -> None:
        self.asked.append(("execute", job.id))

    def expire(self, job: Job, expiration: float) -> None:
        self.asked.append(("expire", job.id))

    def free(self, job: Job) -> None:
        self.asked.append(("free", job.id))

    def excepted(self, job: Job, exception: Mapping[str, Any]) -> None:
        self.asked.append(("excepted", job.id))

    def ended(self, job: Job) -> None:
        self.over.append(job.id)

    # -- what a test does -------------------------------------------------------------------------------------------

    def submit(self, id: int, urgency: int = 16, flags: int = 0, **system: Any) -> Job:
        job = self.jobs.submit(id, spec(**system), userid=5, urgency=urgency, flags=flags)
        self.jobs.go(job)
        return job

    def write(self) -> list[dict[str, Any]]:
        """What is to be written is."""
        ops, told = self.jobs.writes.take()
        for tell in told:
            tell("")
        return ops

    def start(self, id: int) -> None:
        self.jobs.allocated(id, R, None)
        self.write()
        self.jobs.started(id)

    def finish(self, id: int, status: int = 0) -> None:
        self.jobs.finished(id, status)
        self.jobs.released(id, "all", True)

    def run(self, id: int, status: int = 0) -> None:
        self.start(id)
        self.finish(id, status)

    def names(self, id: int) -> list[str]:
        return [event["name"] for event in self.events[id]]

    def context(self, id: int, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(e for e in self.events[id] if e["name"] == name)["context"]
        return found


PLAIN = ["submit", "validate", "depend", "priority", "alloc", "start", "finish", "release", "free", "clean"]


def test_a_job_goes_from_its_submission_to_its_end() -> None:
    ways = Recorder()
    ways.submit(1)
    assert ways.asked == [("allocate", 1)]
    ways.run(1)
    assert ways.names(1) == PLAIN
    assert ways.asked == [("allocate", 1), ("execute", 1), ("free", 1)]
    assert ways.over == [1] and not ways.jobs.active and not ways.jobs.running


def test_nothing_starts_before_its_allocation_is_written_down() -> None:
    ways = Recorder()
    ways.submit(1)
    ways.jobs.allocated(1, R, None)
    assert ("execute", 1) not in ways.asked
    ways.write()
    assert ("execute", 1) in ways.asked


def test_an_allocation_that_cannot_be_written_down_is_the_end() -> None:
    ways = Recorder()
    ways.submit(1)
    ways.jobs.allocated(1, R, None)
    for tell in ways.jobs.writes.take()[1]:
        tell("disk full")
    assert ways.names(1)[-3:] == ["exception", "free", "clean"]
    assert "disk full" in ways.context(1, "exception")["note"]


def test_a_cancelled_job_that_waits_gives_its_request_back_and_ends() -> None:
    ways = Recorder()
    job = ways.submit(1)
    ways.jobs.exception(job, "cancel", 0, userid=5)
    assert ways.asked[-1] == ("withdraw", 1) and ways.over == []
    ways.jobs.withdrawn(1)
    assert ways.names(1)[-2:] == ["exception", "clean"] and ways.over == [1]


def test_a_cancelled_job_that_gets_resources_all_the_same_gives_them_back() -> None:
    ways = Recorder()
    job = ways.submit(1)
    ways.jobs.exception(job, "cancel", 0)
    ways.jobs.allocated(1, R, None)
    assert ways.asked[-1] == ("free", 1) and ways.over == [1]


def test_a_cancelled_job_that_runs_ends_when_nothing_of_it_runs_any_more() -> None:
    ways = Recorder()
    job = ways.submit(1)
    ways.start(1)
    ways.jobs.exception(job, "cancel", 0)
    assert ways.over == []
    ways.jobs.finished(1, 15)
    assert ways.over == []
    ways.jobs.released(1, "all", True)
    assert ways.over == [1]
    assert ways.names(1)[4:] == ["alloc", "start", "exception", "finish", "release", "free", "clean"]


def test_an_exception_that_is_not_fatal_changes_nothing() -> None:
    ways = Recorder()
    job = ways.submit(1)
    ways.jobs.exception(job, "note", 1)
    ways.run(1)
    assert ways.names(1) == [*PLAIN[:4], "exception", *PLAIN[4:]]


def test_a_held_job_waits_and_an_expedited_one_comes_first() -> None:
    ways = Recorder()
    job = ways.submit(1, urgency=0)
    assert ways.asked == [] and job.state == State.SCHED
    assert ways.jobs.urge(job, 31, 5) == 0
    assert ways.asked[0] == ("allocate", 1)
    assert job.priority == 0xFFFFFFFF
    ways.jobs.urge(job, 0, 5)
    assert ways.asked[-1] == ("withdraw", 1)


def test_a_stopped_queue_asks_for_nothing() -> None:
    ways = Recorder()
    ways.jobs.queues.find("").started = False
    ways.submit(1)
    assert ways.asked == []
    ways.jobs.queues.find("").started = True
    ways.jobs.queue_changed("")
    assert ways.asked == [("allocate", 1)]


def test_a_disabled_queue_takes_no_jobs_and_says_why() -> None:
    ways = Recorder()
    queue = ways.jobs.queues.find("")
    queue.enabled, queue.disable_reason = False, "maintenance"
    with pytest.raises(OSError, match="job submission is disabled: maintenance"):
        ways.submit(1)
    assert not ways.jobs.active and not ways.jobs.writes


def after(scheme: str, id: int = 1) -> list[dict[str, str]]:
    return [{"scheme": scheme, "value": str(id)}]


@pytest.mark.parametrize(
    ("scheme", "status", "met"),
    [
        ("afterok", 0, True),
        ("afterok", 256, False),
        ("afternotok", 256, True),
        ("afternotok", 0, False),
        ("afterany", 256, True),
        ("afterexcept", 0, False),
    ],
)
def test_a_job_waits_for_the_end_of_another(scheme: str, status: int, met: bool) -> None:
    ways = Recorder()
    ways.submit(1)
    job = ways.submit(2, dependencies=after(scheme))
    assert State(job.state) == State.DEPEND
    assert ways.context(2, "dependency-add") == {"description": f"{scheme}=ƒ2"}
    ways.run(1, status)
    if met:
        assert job.state == State.SCHED and "dependency-remove" in ways.names(2)
    else:
        assert ways.over == [1, 2] and ways.context(2, "exception")["type"] == "dependency"


def test_a_job_waits_for_the_start_of_another() -> None:
    ways = Recorder()
    ways.submit(1)
    job = ways.submit(2, dependencies=after("afterstart"))
    ways.start(1)
    assert job.state == State.SCHED


def test_what_is_met_already_is_not_waited_for_and_what_cannot_be_is_refused() -> None:
    ways = Recorder()
    ways.submit(1)
    ways.run(1)
    assert ways.submit(2, dependencies=after("afterok")).state == State.SCHED
    for dependencies, text in (
        (after("afternotok"), "afternotok: job 1 succeeded"),
        (after("afterok", 99), "afterok: id 99: No such file or directory"),
        (after("sometime"), 'dependency scheme "sometime" not supported'),
        ([{"scheme": "begin-time", "value": "noon"}], "begin-time: invalid time 'noon'"),
    ):
        with pytest.raises(OSError, match=text):
            ways.submit(3, dependencies=dependencies)
    assert 3 not in ways.jobs.active


def test_only_one_of_a_name_runs_when_it_is_to_be_single() -> None:
    ways = Recorder()
    jobs = [ways.submit(n, job={"name": "one"}, dependencies=[{"scheme": "singleton", "value": ""}]) for n in (1, 2, 3)]
    assert [job.state for job in jobs] == [State.SCHED, State.DEPEND, State.DEPEND]
    ways.run(1)
    assert [job.state for job in jobs[1:]] == [State.SCHED, State.DEPEND]
    ways.jobs.exception(jobs[1], "cancel", 0)
    ways.jobs.withdrawn(2)
    assert jobs[2].state == State.SCHED


def test_a_job_does_not_begin_before_its_time() -> None:
    ways = Recorder()
    job = ways.submit(1, dependencies=[{"scheme": "begin-time", "value": "1500"}])
    assert State(job.state) == State.DEPEND
    ((time, do),) = ways.timers
    assert time == 1500
    do()
    assert job.state == State.SCHED


def test_a_scheduler_that_comes_back_is_asked_again() -> None:
    ways = Recorder()
    job = ways.submit(1)
    ways.jobs.forget_scheduler()
    ways.jobs.settle(job)
    assert ways.asked == [("allocate", 1), ("allocate", 1)]


def test_a_denied_job_says_what_the_scheduler_said() -> None:
    ways = Recorder()
    ways.submit(1)
    ways.jobs.denied(1, "too large")
    assert ways.context(1, "exception") == {"type": "alloc", "severity": 0, "note": "too large"}
    assert ways.over == [1]


def test_a_pending_job_is_asked_for_anew_when_it_changes() -> None:
    ways = Recorder()
    job = ways.submit(1)
    ways.jobs.update(job, {"attributes.system.duration": 60.0}, owner=True)
    assert ways.asked[-1] == ("withdraw", 1)
    ways.jobs.withdrawn(1)
    assert ways.asked[-1] == ("allocate", 1) and job.duration == 60.0
    with pytest.raises(OSError, match="duration: not a number"):
        ways.jobs.update(job, {"attributes.system.duration": -1}, owner=True)


def test_events_have_times_that_only_grow() -> None:
    ways = Recorder()
    ways.submit(1)
    ways.run(1)
    times = [event["timestamp"] for event in ways.events[1]]
    assert times == sorted(set(times))


def test_what_is_written_is_what_was_told() -> None:
    ways = Recorder()
    ways.submit(1, flags=WAITABLE)
    (op,) = ways.write()
    assert op["key"] == "job.0000.0000.0000.0001.eventlog"


# -- after a restart ---------------------------------------------------------------------------------------------------


steps = st.lists(st.sampled_from(["start", "finish", "cancel", "release", "hold", "urge", "memo", "deny"]), max_size=8)


def played(story: list[str], ways: Recorder) -> None:
    job = ways.submit(1)
    for step in story:
        if 1 not in ways.jobs.active:
            return
        match step:
            case "start" if job.alloc_asked:
                ways.start(1)
            case "finish" if job.start_asked:
                ways.jobs.finished(1, 256)
            case "release" if job.start_asked and job.status is not None:
                ways.jobs.released(1, "all", True)
            case "cancel":
                ways.jobs.exception(job, "cancel", 0)
            case "hold" if job.state & State.PENDING:
                ways.jobs.urge(job, 0, 5)
            case "urge" if job.state & State.PENDING:
                ways.jobs.urge(job, 20, 5)
            case "memo":
                ways.jobs.memo(job, {"a": {"b": 1}}, volatile=False)
            case "deny" if job.alloc_asked:
                ways.jobs.denied(1, "no")


def facts(job: Job) -> tuple[Any, ...]:
    memo = json.dumps(job.memo)
    return job.state, job.urgency, job.priority, job.status, job.exception, memo, job.started, job.freed, job.flags


@settings(max_examples=300, deadline=None)
@given(steps)
def test_any_beginning_of_an_eventlog_makes_the_job_that_it_was_then(story: list[str]) -> None:
    ways = Recorder()
    seen: list[tuple[Any, ...]] = []
    plain = ways.journal

    def journal(job: Job, event: dict[str, Any]) -> None:
        plain(job, event)
        seen.append(facts(job))

    ways.journal = journal  # type: ignore[method-assign]
    played(story, ways)
    events = ways.events[1]
    again = Job(1, SPEC, Jobspec.parse(SPEC))
    for event, then in zip(events, seen, strict=True):
        again.apply(event["name"], event.get("context") or {}, event["timestamp"])
        assert facts(again) == then


@settings(max_examples=300, deadline=None)
@given(steps, st.integers(1, 30))
def test_after_a_restart_at_any_moment_every_job_comes_to_its_end(story: list[str], length: int) -> None:
    ways = Recorder()
    played(story, ways)
    events = json.loads(json.dumps(ways.events[1][:length]))
    if len(events) < 2:
        return
    again = Recorder()
    allocated = any(event["name"] == "alloc" for event in events)
    again.jobs.replay(1, SPEC, R if allocated else None, events)
    again.jobs.resume()
    job = again.jobs.active.get(1)
    if job is not None and job.priority == 0 and job.state == State.SCHED:
        again.jobs.urge(job, 16, 5)
    for _ in range(3):
        if job is not None and job.alloc_asked and job.state == State.SCHED:
            again.run(1)
        elif job is not None and job.alloc_asked:
            again.jobs.withdrawn(1)
    assert 1 not in again.jobs.active
    assert 1 in again.jobs.over
    assert not again.jobs.running


def test_what_ran_when_the_instance_died_is_reported_and_its_resources_are_free() -> None:
    ways = Recorder()
    ways.submit(1)
    ways.start(1)
    again = Recorder()
    again.jobs.replay(1, SPEC, R, ways.events[1])
    again.jobs.resume()
    assert again.context(1, "exception")["type"] == "node-failure"
    assert again.over == [1]


def test_who_waited_for_a_job_still_does_after_a_restart() -> None:
    ways = Recorder()
    ways.submit(1)
    ways.submit(2, dependencies=after("afterok"))
    again = Recorder()
    for id in (1, 2):
        again.jobs.replay(id, spec(dependencies=after("afterok") if id == 2 else []), None, ways.events[id])
    again.jobs.resume()
    assert State(again.jobs.active[2].state) == State.DEPEND
    again.run(1)
    assert again.jobs.active[2].state == State.SCHED
