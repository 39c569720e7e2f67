"""What a job writes. Who leaves a loop early closes it: `contextlib.aclosing`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from errno import ENODATA

from flux.aio.handle import Handle
from flux.aio.job.events import event_wait, event_watch
from flux.base.idset import Ids
from flux.base.jobid import JobID
from flux.eventlog import EventLogEvent
from flux.job.event import checked
from flux.job.output import EXEC, OUTPUT, never_started, no_output
from flux.job.outputevents import LOG_TRACE, Gathering, JobOutput, Output, read, said


async def job_output(
    handle: Handle,
    jobid: int | str,
    tasks: Ids | str = "*",
    labelio: bool = False,
    nowait: bool = False,
    log_stderr_level: int = LOG_TRACE,
) -> JobOutput:
    """All that a job writes, as (stdout, stderr, log), as `flux.job.job_output` has it, with the same errors."""
    gathering, id = Gathering(tasks, labelio, log_stderr_level), JobID(jobid)
    if nowait:
        for line in (await _now(handle, id)).splitlines():
            gathering.take(line)
        return gathering.whole()
    try:
        await event_wait(handle, id, "shell.init", EXEC)
    except OSError:
        checked(await event_wait(handle, id, "exception"))  # that of a job that never ran, if it is the reason
        raise
    async for event in event_watch(handle, id, OUTPUT):
        gathering.take(event)
    return gathering.whole()


async def _now(handle: Handle, id: JobID) -> str:
    from flux.aio.job.listing import job_info_lookup

    try:
        return str((await job_info_lookup(handle, id, [OUTPUT]))[OUTPUT])
    except FileNotFoundError:
        raise no_output(id) from None


async def output_event_watch(
    handle: Handle, jobid: int | str, labelio: bool = False, nowait: bool = False
) -> AsyncGenerator[Output, None]:
    """Yields the events of a job's output, and exceptions of the job among them, as `flux.job.output_event_watch`."""
    following = _Following(handle, JobID(jobid))
    task = asyncio.create_task(following.run(nowait))
    try:
        while (event := await following.events.get()) is not None:
            if isinstance(event, OSError):
                raise event
            yield read(event, labelio)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def output_watch(
    handle: Handle,
    jobid: int | str,
    labelio: bool = False,
    log_stderr_level: int = LOG_TRACE,
    nowait: bool = False,
) -> AsyncGenerator[tuple[str, str], None]:
    """Yields what a job writes as it comes, as (stream, text), as `flux.job.output_watch` does."""
    async with aclosing(output_event_watch(handle, jobid, labelio, nowait)) as events:
        async for event in events:
            told = said(event, log_stderr_level)
            if told is not None:
                yield told


async def output_watch_lines(
    handle: Handle,
    jobid: int | str,
    labelio: bool = False,
    log_stderr_level: int = LOG_TRACE,
    nowait: bool = False,
    keepends: bool = False,
) -> AsyncGenerator[tuple[str, str], None]:
    """As `output_watch`, line by line, without their ends unless `keepends`, as `flux.job.output_watch_lines`."""
    async with aclosing(output_watch(handle, jobid, labelio, log_stderr_level, nowait)) as pieces:
        async for stream, text in pieces:
            for line in text.splitlines(keepends=keepends):
                yield stream, line


class _Following:
    """Two logs of one job at once: what it writes, and what happens to it."""

    def __init__(self, handle: Handle, id: JobID) -> None:
        self._handle, self._id = handle, id
        self._started: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.events: asyncio.Queue[EventLogEvent | OSError | None] = asyncio.Queue(1)
        """What is to be told; last None, or an error. One at a time: who is slow has the job's broker wait."""

    async def run(self, nowait: bool) -> None:
        """Ends when both are over, so that no exception is missed."""
        try:
            if nowait:
                await self._pass_on(OUTPUT)
            else:
                await self._follow()
        except OSError as error:
            await self.events.put(error)
        else:
            await self.events.put(None)

    async def _follow(self) -> None:
        happening = asyncio.create_task(self._happen())
        try:
            if await self._started:
                await self._write()
            await happening
            if not self._started.result():
                raise never_started(self._id)
        finally:
            happening.cancel()

    async def _happen(self) -> None:
        try:
            async with aclosing(event_watch(self._handle, self._id)) as events:
                async for event in events:
                    if event.name == "start":
                        self._started.set_result(True)
                    elif event.name == "exception":
                        await self.events.put(event)
                    elif event.name == "finish":
                        return
        except FileNotFoundError as error:
            raise FileNotFoundError(error.errno, f"job {self._id} not found") from None
        finally:
            if not self._started.done():
                self._started.set_result(False)

    async def _write(self) -> None:
        try:
            await event_wait(self._handle, self._id, "shell.init", EXEC)
        except OSError as error:
            if error.errno != ENODATA:
                raise
        else:
            await self._pass_on(OUTPUT)

    async def _pass_on(self, log: str) -> None:
        async with aclosing(event_watch(self._handle, self._id, log)) as events:
            async for event in events:
                await self.events.put(event)
