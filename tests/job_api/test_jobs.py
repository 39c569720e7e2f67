"""Jobs in a session, by the functions of `flux.job`."""

import threading
from errno import ECHILD, ENODATA
from typing import Any

import pytest

import flux
import flux.job
from flux.constants import FLUX_JOB_RESULT_FAILED, FLUX_JOB_STATE_INACTIVE, FLUX_USERID_UNKNOWN
from flux.job import JobID, JobInfo, JobspecV1
from flux.job.event import JobEventWatchFuture
from tests.session import Session

FOREVER = JobspecV1.from_command(["sleep", "inf"])
UNKNOWN = 12345


def run(h: flux.Flux, *command: str, **more: Any) -> JobID:
    """A job that is over."""
    id = flux.job.submit(h, JobspecV1.from_command(command, **more))
    flux.job.event_wait(h, id, "clean", raiseJobException=False)
    return id


# -- submitting, waiting ----------------------------------------------------------------------------------------------


def test_a_job_is_waited_for_once(h: flux.Flux) -> None:
    id = flux.job.submit(h, JobspecV1.from_command(["false"]), waitable=True)
    assert flux.job.wait(h, id) == (id, False, b"task(s) exited with exit code 1")
    with pytest.raises(OSError) as caught:
        flux.job.wait(h, id)
    assert caught.value.errno == ECHILD


def test_any_of_several_jobs_is_waited_for(h: flux.Flux) -> None:
    submitted = [flux.job.submit_async(h, JobspecV1.from_command(["true"]), waitable=True) for _ in range(3)]
    ids = {flux.job.submit_get_id(future) for future in submitted}
    assert {flux.job.wait(h).jobid for _ in ids} == ids


def test_a_refusal_says_why(h: flux.Flux) -> None:
    with pytest.raises(OSError, match="99 slots"):
        flux.job.submit(h, JobspecV1.from_command(["true"], num_tasks=99))
    with pytest.raises(TypeError):
        flux.job.submit(h, 0)
    with pytest.raises(OSError, match="must not be None"):
        flux.job.submit(h, None)


def test_a_result_is_there_for_any_job_again_and_again(h: flux.Flux) -> None:
    id = run(h, "sh", "-c", "exit 3")
    for _ in range(2):
        info = flux.job.result(h, id)
        assert (info.id, info.result, info.returncode) == (id, "FAILED", 3)
        assert info.runtime > 0
    told = flux.job.result_async(h, id).get_dict()
    assert (told["result"], told["waitstatus"]) == (FLUX_JOB_RESULT_FAILED, 3 << 8)
    with pytest.raises(FileNotFoundError):
        flux.job.result(h, UNKNOWN)


def test_a_result_comes_to_a_callback(h: flux.Flux) -> None:
    found: list[JobInfo] = []
    id = flux.job.submit(h, JobspecV1.from_command(["true"]))
    flux.job.result_async(h, id).then(lambda future: found.append(future.get_info()))
    h.reactor_run()
    assert [(info.id, info.returncode) for info in found] == [(id, 0)]


# -- events -----------------------------------------------------------------------------------------------------------


def test_events_come_in_order_up_to_the_last(h: flux.Flux) -> None:
    id = flux.job.submit(h, JobspecV1.from_command(["true"]))
    names = [event.name for event in flux.job.event_watch(h, id)]
    assert names[:2] == ["submit", "validate"]
    assert [name for name in names if name in ("alloc", "start", "finish", "clean")] == [
        "alloc",
        "start",
        "finish",
        "clean",
    ]
    assert flux.job.event_wait(h, id, "shell.init", "guest.exec.eventlog").name == "shell.init"


def test_who_leaves_a_watch_hears_no_more(h: flux.Flux) -> None:
    id = flux.job.submit(h, FOREVER)
    for event in flux.job.event_watch(h, id):
        assert event.name == "submit"
        break
    flux.job.cancel(h, id)
    assert flux.job.event_wait(h, id, "clean", raiseJobException=False).name == "clean"


def test_a_callback_stops_the_watch(h: flux.Flux) -> None:
    heard = []

    def happened(watch: JobEventWatchFuture) -> None:
        event = watch.get_event()
        assert event is not None
        heard.append(event.name)
        if event.name == "start":
            watch.cancel(stop=True)

    id = flux.job.submit(h, FOREVER)
    flux.job.event_watch_async(h, id).then(happened)
    h.reactor_run()
    assert heard[-1] == "start"
    flux.job.cancel(h, id)


def test_an_event_stays_until_reset(h: flux.Flux) -> None:
    watch = flux.job.event_watch_async(h, run(h, "true"))
    for name in ("submit", "validate"):
        for _ in range(2):
            event = watch.get_event(autoreset=False)
            assert event is not None and event.name == name
        watch.reset()
    watch.close()


def test_an_end_before_the_event_is_an_exception(h: flux.Flux) -> None:
    id = flux.job.submit(h, FOREVER, urgency=0)
    flux.job.cancel(h, id, "no need")
    with pytest.raises(flux.job.JobException) as caught:
        flux.job.event_wait(h, id, "start")
    assert str(caught.value) == "job.exception: type=cancel: no need"
    assert (caught.value.type, caught.value.severity) == ("cancel", 0)
    with pytest.raises(OSError) as never:
        flux.job.event_wait(h, id, "start", raiseJobException=False)
    assert never.value.errno == ENODATA
    with pytest.raises(FileNotFoundError):
        flux.job.event_wait(h, UNKNOWN, "start")


# -- signals ----------------------------------------------------------------------------------------------------------


def test_a_signal_ends_a_job(h: flux.Flux) -> None:
    id = flux.job.submit(h, FOREVER)
    flux.job.event_wait(h, id, "shell.start", "guest.exec.eventlog")
    flux.job.kill(h, id)
    assert flux.job.result(h, id).returncode in (-15, 143)


def test_a_job_that_is_over_cannot_be_told_anything(h: flux.Flux) -> None:
    id = run(h, "true")
    for tell in (flux.job.kill, flux.job.cancel):
        with pytest.raises(OSError):
            tell(h, id)
        with pytest.raises(ValueError):
            tell(h, "no id")


def test_an_exception_of_little_severity_is_only_noted(h: flux.Flux) -> None:
    id = flux.job.submit(h, FOREVER)
    flux.job.job_raise(h, id, "mine", severity=3, note="look")
    event = flux.job.event_wait(h, id, "exception")
    assert event.context | {"userid": 0} == {"type": "mine", "severity": 3, "note": "look", "userid": 0}
    flux.job.cancel(h, id)


# -- lists ------------------------------------------------------------------------------------------------------------


def test_jobs_are_listed_by_many_things(h: flux.Flux) -> None:
    good, bad = run(h, "true", name="good"), run(h, "false", name="bad")
    over = flux.job.job_list_inactive(h, attrs=["name"]).get_jobs()
    assert {good, bad} <= {job["id"] for job in over}
    (named,) = flux.job.job_list(h, name="bad", states=FLUX_JOB_STATE_INACTIVE).get_jobinfos()
    assert (named.id, named.name, named.result, named.returncode) == (bad, "bad", "FAILED", 1)
    failed = flux.job.job_list(h, results=FLUX_JOB_RESULT_FAILED, userid=FLUX_USERID_UNKNOWN).get_jobs()
    assert {job["id"] for job in failed} >= {bad}
    constraint = {"and": [{"name": ["good"]}]}
    assert [job["id"] for job in flux.job.job_list(h, constraint=constraint).get_jobs()] == [good]
    with pytest.raises(OSError):
        flux.job.job_list(h, attrs=["colour"]).get_jobs()


def test_a_callback_gets_a_list_once(h: flux.Flux) -> None:
    id = run(h, "true", name="once")
    found: list[list[int]] = []
    asked = flux.job.job_list(h, name="once", states=FLUX_JOB_STATE_INACTIVE)
    asked.then(lambda future: found.append([job["id"] for job in future.get_jobs()]))
    several = flux.job.JobList(h, ids=[id]).fetch_jobs()
    several.then(lambda future: found.append([job.id for job in future.get_jobinfos()]))
    h.reactor_run()
    assert found == [[id], [id]]


def test_a_list_is_put_together_from_words(h: flux.Flux) -> None:
    id = run(h, "false", name="words")
    wanted = flux.job.JobList(h, filters=["failed,canceled"], name="words", user="all", max_entries=5)
    assert [(job.id, job.status_abbrev) for job in wanted.jobs()] == [(id, "F")]
    several = flux.job.JobList(h, ids=[id, JobID(UNKNOWN).f58])
    assert [job.id for job in several.jobs()] == [id]
    assert several.errors == [f"JobID {JobID(UNKNOWN).f58} unknown"]
    wrongs: list[dict[str, Any]] = [{"filters": ["sleeping"]}, {"ids": ["no id"]}, {"user": "nobody knows"}]
    for wrong in wrongs:
        with pytest.raises(ValueError):
            flux.job.JobList(h, **wrong)


def test_one_job_is_a_dict_with_all_that_is_known(h: flux.Flux) -> None:
    id = run(h, "true", name="one")
    told = flux.job.get_job(h, id)
    assert told is not None
    assert (told["id"], told["jobid"], told["state"], told["result"]) == (id, id.f58, "INACTIVE", "COMPLETED")
    assert (told["name"], told["ntasks"], told["returncode"], told["queue"]) == ("one", 1, 0, "")
    assert flux.job.job_list_id(h, id, ["name"]).get_jobinfo().name == "one"
    assert flux.job.get_job(h, UNKNOWN) is None


def test_jobs_are_counted(h: flux.Flux) -> None:
    run(h, "true")
    stats = flux.job.JobStats(h).update_sync()
    assert stats.successful >= 1
    assert stats.total == stats.active + stats.inactive
    told: list[int] = []
    flux.job.JobStats(h).update(lambda found, more: told.append(found.inactive + more), more=0)
    h.reactor_run()
    assert told[0] >= stats.inactive
    with pytest.raises(ValueError, match="no stats available for queue none"):
        flux.job.JobStats(h, "none").update_sync()


# -- what is written --------------------------------------------------------------------------------------------------


def test_what_is_written_is_looked_up(h: flux.Flux) -> None:
    id = run(h, "true")
    found = flux.job.job_kvs_lookup(h, id, keys=["jobspec", "R", "eventlog"])
    assert found is not None
    assert found["jobspec"]["tasks"][0]["command"] == ["true"]
    assert found["R"]["version"] == 1
    assert found["eventlog"].endswith("\n")
    as_text = flux.job.job_kvs_lookup(h, id, decode=False, original=True)
    assert as_text is not None and isinstance(as_text["jobspec"], str) and "J" not in as_text
    assert flux.job.job_info_lookup(h, id, ["R"]).get_decode()["R"] == found["R"]
    assert flux.job.job_kvs_lookup(h, UNKNOWN) is None


def test_what_is_written_of_several_jobs_is_looked_up(h: flux.Flux) -> None:
    ids = [run(h, "true"), run(h, "false")]
    lookup = flux.job.JobKVSLookup(h, [*ids, UNKNOWN], original=True)
    assert [one["jobspec"]["tasks"][0]["command"] for one in lookup.data()] == [["true"], ["false"]]
    assert lookup.errors == [f"JobID {UNKNOWN} unknown"]


def test_a_job_has_directories_in_the_store(h: flux.Flux) -> None:
    id = run(h, "true")
    assert {"J", "R", "eventlog", "jobspec"} <= set(flux.job.job_kvs(h, id))
    assert "output" in flux.job.job_kvs_guest(h, id)


# -- output -----------------------------------------------------------------------------------------------------------

SAYS = ["sh", "-c", "echo out $FLUX_TASK_RANK; echo err >&2"]


def test_output_is_whole_when_the_job_is_over(h: flux.Flux) -> None:
    id = flux.job.submit(h, JobspecV1.from_command(SAYS, num_tasks=2))
    found = flux.job.job_output(h, id)
    assert sorted(found.stdout.splitlines()) == ["out 0", "out 1"]
    assert (found.stderr, found.log) == ("err\nerr\n", "")
    assert flux.job.job_output(h, id, tasks="1", labelio=True).stdout == "1: out 1\n"
    assert flux.job.job_output(h, id, tasks="1", nowait=True).stdout == "out 1\n"


def test_output_that_never_came_is_an_exception(h: flux.Flux) -> None:
    id = flux.job.submit(h, FOREVER, urgency=0)
    with pytest.raises(FileNotFoundError, match="output not ready"):
        flux.job.job_output(h, id, nowait=True)
    flux.job.cancel(h, id)
    with pytest.raises(flux.job.JobException, match="cancel"):
        flux.job.job_output(h, id)
    with pytest.raises(OSError, match="never started"):
        list(flux.job.output_watch(h, id))
    for watch in (flux.job.output_watch, flux.job.output_event_watch):
        with pytest.raises(FileNotFoundError):
            list(watch(h, UNKNOWN))


def test_output_is_watched_as_it_comes(h: flux.Flux) -> None:
    id = flux.job.submit(h, JobspecV1.from_command(SAYS))
    assert sorted(flux.job.output_watch(h, id)) == [("stderr", "err\n"), ("stdout", "out 0\n")]
    assert sorted(flux.job.output_watch_lines(h, id, labelio=True)) == [("stderr", "0: err"), ("stdout", "0: out 0")]
    names = [event.name for event in flux.job.output_event_watch(h, id)]
    assert names[0] == "header"
    assert set(names) == {"header", "data"}


def test_who_leaves_output_is_done_with_it(h: flux.Flux) -> None:
    id = flux.job.submit(h, JobspecV1.from_command(["sh", "-c", "echo ready; sleep inf"]))
    for watch in (flux.job.output_watch, flux.job.output_watch_lines):
        for _, text in watch(h, id):
            assert text.strip() == "ready"
            break
    for event in flux.job.output_event_watch(h, id):
        assert event.name == "header"
        break
    flux.job.cancel(h, id)
    assert flux.job.result(h, id).result == "CANCELED"
    assert h.reactor_run() == 0


def test_output_comes_to_a_callback(h: flux.Flux) -> None:
    lines = []

    def said(watch: Any) -> None:
        stream, line = watch.getline()
        if stream is not None:
            lines.append((stream, line))

    id = flux.job.submit(h, JobspecV1.from_command(SAYS))
    flux.job.output_watch_lines_async(h, id).then(said)
    h.reactor_run()
    assert sorted(lines) == [("stderr", "err"), ("stdout", "out 0")]


def test_an_exception_is_told_to_who_watches_output(h: flux.Flux) -> None:
    id = flux.job.submit(h, JobspecV1.from_command(["sh", "-c", "echo ready; sleep inf"]))
    found = []
    for stream, text in flux.job.output_watch(h, id):
        found.append((stream, text))
        if text == "ready\n":
            flux.job.cancel(h, id, "enough")
    assert ("stderr", "job.exception: type=cancel severity=0 enough\n") in found


# -- times, threads ---------------------------------------------------------------------------------------------------


def test_a_job_knows_how_long_it_may_run(session: Session, h: flux.Flux, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import flux.job; print(flux.job.timeleft())"
    limited = flux.job.submit(h, JobspecV1.from_command(["flux", "python", "-c", code], duration="1h"))
    assert 3000 < float(flux.job.job_output(h, limited).stdout) <= 3600
    free = flux.job.submit(h, JobspecV1.from_command(["flux", "python", "-c", code]))
    assert flux.job.job_output(h, free).stdout == "inf\n"
    monkeypatch.delenv("FLUX_JOB_ID", raising=False)
    with pytest.raises(FileNotFoundError, match="does not belong to a job"):
        flux.job.timeleft(h)


def test_every_thread_has_a_handle_and_uses_all_of_it(session: Session) -> None:
    found: list[tuple[str, int]] = []

    def work(number: int) -> None:
        with flux.Flux(session.uri) as own:
            id = flux.job.submit(own, JobspecV1.from_command(["echo", str(number)]))
            text = "".join(text for _, text in flux.job.output_watch(own, id))
            found.append((text, flux.job.result(own, id).returncode))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(f"{number}\n", 0) for number in range(4)]
