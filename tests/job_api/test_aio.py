"""Jobs and resources by `flux.aio`, in a session."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from errno import ECHILD, EIO, ENODATA

import pytest

import flux.aio
import flux.job
from flux.aio import Handle, job
from flux.aio.resource import resource_journal, resource_list, resource_status
from flux.constants import FLUX_JOB_STATE_INACTIVE
from flux.job import JobID, JobspecV1
from tests.session import Session

Scenario = Callable[[Handle], Awaitable[None]]
Run = Callable[[Scenario], None]
TRUE, FOREVER = JobspecV1.from_command(["true"]), JobspecV1.from_command(["sleep", "inf"])
UNKNOWN = 12345


@pytest.fixture
def run(session: Session) -> Run:
    """Runs a scenario with a handle of its own."""

    def runs(scenario: Scenario) -> None:
        async def main() -> None:
            async with flux.aio.connect(session.uri) as h:
                await asyncio.wait_for(scenario(h), 60)

        asyncio.run(main())

    return runs


async def over(h: Handle, *command: str, **more: str) -> JobID:
    """A job that is over."""
    id = await job.submit(h, JobspecV1.from_command(command, name=more.get("name")))
    await job.event_wait(h, id, "clean", raiseJobException=False)
    return id


def test_what_flux_job_does_is_here_too() -> None:
    futures = {"submit_get_id", "wait_get_status", "id_parse", "id_encode", "validate_jobspec", "job_fields_to_attrs"}
    functions = {name for name in flux.job.__all__ if inspect.isfunction(getattr(flux.job, name))}
    asked = {name for name in functions if not name.endswith("_async")} - futures - {"job_kvs", "job_kvs_guest"}
    assert asked <= set(job.__all__)


def test_many_jobs_are_submitted_and_waited_for_at_once(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        ids = await asyncio.gather(*(job.submit(h, TRUE, waitable=True) for _ in range(5)))
        ended = await asyncio.gather(*(job.wait(h, id) for id in ids))
        assert [(one.jobid, one.success) for one in ended] == [(id, True) for id in ids]
        with pytest.raises(OSError) as caught:
            await job.wait(h, ids[0])
        assert caught.value.errno == ECHILD
        with pytest.raises(OSError, match="99 slots"):
            await job.submit(h, JobspecV1.from_command(["true"], num_tasks=99))

    run(scenario)


def test_a_job_is_followed_to_its_result(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id = await over(h, "false")
        names = [event.name async for event in job.event_watch(h, id)]
        assert (names[0], names[-1]) == ("submit", "clean")
        found = await job.result(h, id)
        assert (found.id, found.returncode, found.result) == (id, 1, "FAILED")
        with pytest.raises(FileNotFoundError):
            await job.result(h, UNKNOWN)
        with pytest.raises(OSError) as never:
            await job.event_wait(h, id, "never")
        assert never.value.errno == ENODATA

    run(scenario)


def test_a_job_is_ended(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id, other = await job.submit(h, FOREVER), await job.submit(h, FOREVER)
        await job.event_wait(h, id, "shell.start", "guest.exec.eventlog")
        await job.kill(h, id)
        await job.job_raise(h, other, "mine", 3, "look")
        await job.cancel(h, other, "enough")
        assert (await job.result(h, id)).returncode in (-15, 143)
        with pytest.raises(flux.job.JobException, match="cancel: enough"):
            await job.event_wait(h, other, "never")

    run(scenario)


def test_jobs_are_listed(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id = await over(h, "true", name="listed")
        (found,) = await job.job_list(h, name="listed", states=FLUX_JOB_STATE_INACTIVE)
        assert (found.id, found.status) == (id, "COMPLETED")
        assert id in [one.id for one in await job.job_list_inactive(h)]
        assert (await job.job_list_id(h, id, ["name"])).name == "listed"
        told = await job.get_job(h, id)
        assert told is not None and told["returncode"] == 0
        assert await job.get_job(h, UNKNOWN) is None
        assert (await job.job_stats(h)).successful >= 1
        with pytest.raises(ValueError):
            await job.job_stats(h, "none")

    run(scenario)


def test_what_is_written_is_looked_up(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id = await over(h, "true")
        found = await job.job_kvs_lookup(h, id, ["jobspec", "R"], original=True)
        assert found is not None and set(found) == {"id", "jobspec", "R"}
        assert found["jobspec"]["tasks"][0]["command"] == ["true"]
        assert isinstance((await job.job_info_lookup(h, id, ["R"]))["R"], str)
        assert await job.job_kvs_lookup(h, UNKNOWN) is None

    run(scenario)


def test_output_is_watched_and_gathered(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id = await job.submit(h, JobspecV1.from_command(["sh", "-c", "echo out; echo err >&2"]))
        assert sorted([said async for said in job.output_watch(h, id)]) == [("stderr", "err\n"), ("stdout", "out\n")]
        assert sorted([said async for said in job.output_watch_lines(h, id, labelio=True, nowait=True)]) == [
            ("stderr", "0: err"),
            ("stdout", "0: out"),
        ]
        assert await job.job_output(h, id) == ("out\n", "err\n", "")
        assert await job.job_output(h, id, nowait=True) == ("out\n", "err\n", "")

    run(scenario)


def test_output_that_never_comes_is_an_error(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id = await job.submit(h, FOREVER, urgency=0)
        with pytest.raises(FileNotFoundError, match="output not ready"):
            await job.job_output(h, id, nowait=True)
        await job.cancel(h, id)
        with pytest.raises(flux.job.JobException):
            await job.job_output(h, id)
        with pytest.raises(OSError, match="never started") as caught:
            _ = [said async for said in job.output_watch(h, id)]
        assert caught.value.errno == EIO
        with pytest.raises(FileNotFoundError, match="not found"):
            _ = [said async for said in job.output_watch(h, UNKNOWN)]

    run(scenario)


def test_an_exception_is_told_to_who_watches_output(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id = await job.submit(h, JobspecV1.from_command(["sh", "-c", "echo ready; sleep inf"]))
        found = []
        async for stream, text in job.output_watch(h, id):
            found.append((stream, text))
            if text == "ready\n":
                await job.cancel(h, id, "enough")
        assert ("stderr", "job.exception: type=cancel severity=0 enough\n") in found

    run(scenario)


def test_who_leaves_a_loop_is_done_with_it(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id = await job.submit(h, JobspecV1.from_command(["sh", "-c", "echo ready; sleep inf"]))
        before = asyncio.all_tasks()
        async with aclosing(job.output_watch(h, id)) as pieces:
            async for _, text in pieces:
                assert text == "ready\n"
                break
        assert asyncio.all_tasks() == before
        async with aclosing(job.event_watch(h, id)) as events:
            async for event in events:
                assert event.name == "submit"
                break
        await job.cancel(h, id)
        await job.event_wait(h, id, "clean", raiseJobException=False)

    run(scenario)


def test_all_jobs_are_followed(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id = await over(h, "true")
        names = []
        async with aclosing(job.journal(h, include_sentinel=True)) as events:
            async for event in events:
                if event.is_empty():
                    break
                if event.jobid == id:
                    names.append(event.name)
        assert (names[0], names[-1]) == ("submit", "clean")

    run(scenario)


def test_a_program_outside_of_jobs_has_no_time_limit_to_ask_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(h: Handle) -> None:
        monkeypatch.delenv("FLUX_JOB_ID", raising=False)
        with pytest.raises(FileNotFoundError, match="does not belong to a job"):
            await job.timeleft(h)
        id = await job.submit(h, JobspecV1.from_command(["sleep", "inf"], duration="1h"))
        await job.event_wait(h, id, "start")
        monkeypatch.setenv("FLUX_JOB_ID", id.f58)
        assert 3000 < await job.timeleft(h) <= 3600
        await job.cancel(h, id)

    run(scenario)


def test_resources_are_told(run: Run) -> None:
    async def scenario(h: Handle) -> None:
        id = await job.submit(h, FOREVER)
        await job.event_wait(h, id, "start")
        found = await resource_list(h)
        assert found.all.nnodes == 2
        assert found.allocated.ncores >= 1  # others may still be about to be freed
        status = await resource_status(h)
        assert str(status.online) == "0-1"
        assert status.allocated
        await job.cancel(h, id)
        async with aclosing(resource_journal(h, include_sentinel=True)) as events:
            async for event in events:
                if event.is_empty():
                    break
                assert event.name != "resource-define" or event.R["version"] == 1

    run(scenario)
