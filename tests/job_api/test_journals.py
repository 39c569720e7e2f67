"""Journals: of jobs and of resources."""

from collections.abc import Mapping
from typing import Any

import pytest

import flux
import flux.job
from flux.job import JobspecV1, JournalConsumer
from flux.job.consumer import History, JournalEventBase
from flux.job.journal import SENTINEL_EVENT, JournalEvent
from flux.resource import ResourceJournalConsumer

SENTINEL = JournalEventBase({})


def events(*times: float) -> dict[str, Any]:
    """An answer of a journal."""
    return {"events": [{"timestamp": time, "name": "happened"} for time in times]}


def made(answer: Mapping[str, Any]) -> list[JournalEventBase]:
    return [JournalEventBase(entry) for entry in answer["events"]]


# -- in what order ----------------------------------------------------------------------------------------------------


def test_what_was_is_sorted_and_what_comes_is_as_it_comes() -> None:
    history = History(made, True, 0.0, SENTINEL)
    assert history.take(events(3.0, 1.0)) == []
    assert history.take(events(2.0)) == []
    done = history.take(events())
    assert [event.timestamp for event in done[:-1]] == [1.0, 2.0, 3.0]
    assert done[-1] is SENTINEL and SENTINEL.is_empty()
    assert [event.timestamp for event in history.take(events(9.0, 8.0))] == [9.0, 8.0]


def test_only_what_is_later_is_told() -> None:
    history = History(made, True, 2.0, None)
    history.take(events(1.0, 2.0, 3.0))
    assert [event.timestamp for event in history.take(events())] == [3.0]
    assert [event.timestamp for event in History(made, False, 2.0, None).take(events(1.0, 3.0))] == [3.0]


def test_events_print_as_lines() -> None:
    event = JournalEvent(1, {"timestamp": 1.5, "name": "alloc", "context": {"a": 1}}, jobspec={}, R={"version": 1})
    assert str(event) == "ƒ2: 1.50000 alloc {\"a\":1} R={'version': 1}"
    assert (event.R, event.jobspec) == ({"version": 1}, None)
    assert str(SENTINEL_EVENT) == "-1: End of historical data stream"
    assert SENTINEL_EVENT.is_empty()


# -- in a session -----------------------------------------------------------------------------------------------------


def run(h: flux.Flux) -> flux.job.JobID:
    id = flux.job.submit(h, JobspecV1.from_command(["true"]))
    flux.job.event_wait(h, id, "clean")
    return id


def test_all_jobs_are_followed(h: flux.Flux) -> None:
    before = run(h)
    consumer = JournalConsumer(h, include_sentinel=True)
    with pytest.raises(RuntimeError, match=r"poll\(\) called before start\(\)"):
        consumer.poll()
    with pytest.raises(RuntimeError):
        consumer.stop()
    consumer.start()
    past = []
    while not (event := consumer.poll(timeout=30)).is_empty():
        past.append(event)
    assert "clean" in {event.name for event in past if event.jobid == before}
    assert [event.timestamp for event in past] == sorted(event.timestamp for event in past)
    (submitted,) = [event for event in past if event.jobid == before and event.name == "submit"]
    assert submitted.jobspec["tasks"][0]["command"] == ["true"]
    now = run(h)
    while (event := consumer.poll(timeout=30)).name != "clean":
        assert event.jobid == now
    consumer.stop()
    while consumer.poll(timeout=30) is not None:
        pass


def test_nothing_that_comes_too_late_is_waited_for(h: flux.Flux) -> None:
    consumer = JournalConsumer(h, full=False).start()
    with pytest.raises(TimeoutError):
        while True:
            consumer.poll(timeout=0.01)


def test_callbacks_are_called_until_it_is_stopped(h: flux.Flux) -> None:
    heard: list[str] = []

    def happened(event: JournalEvent, more: str) -> None:
        heard.append(event.name + more)
        if event.name == "clean":
            consumer.stop()

    consumer = JournalConsumer(h, full=False).set_callback(happened, more="!").start()
    flux.job.submit(h, JobspecV1.from_command(["true"]))
    h.reactor_run()
    assert heard[-1] == "clean!"


def test_resources_are_followed(h: flux.Flux) -> None:
    consumer = ResourceJournalConsumer(h, include_sentinel=True).start()
    past = []
    while not (event := consumer.poll(timeout=30)).is_empty():
        past.append(event)
    (defined,) = [event for event in past if event.name == "resource-define"]
    assert defined.R["version"] == 1
    assert "online" in {event.name for event in past}
    h.rpc("resource.drain", {"targets": "1", "reason": "test"}, nodeid=0).get()
    assert consumer.poll(timeout=30).name == "drain"
    h.rpc("resource.undrain", {"targets": "1"}, nodeid=0).get()
    assert consumer.poll(timeout=30).name == "undrain"
    consumer.stop()
    assert consumer.poll(timeout=30) is None
