"""The events of one job, and of all. Who leaves a loop early closes it: `contextlib.aclosing`."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from flux.aio.handle import Handle
from flux.eventlog import EventLogEvent
from flux.job.consumer import History, JournalEventBase
from flux.job.event import WATCH, checked, never_came, watching
from flux.job.journal import SENTINEL_EVENT, TOPIC, JournalEvent, events_of


async def event_watch(
    handle: Handle, jobid: int | str, eventlog: str = "eventlog"
) -> AsyncGenerator[EventLogEvent, None]:
    """Yields the events of a log of a job, from its first, up to its last, as `flux.job.event_watch` does."""
    async with handle.stream(WATCH, watching(jobid, eventlog)) as answers:
        async for answer in answers:
            yield EventLogEvent(answer["event"])


async def event_wait(
    handle: Handle, jobid: int | str, name: str, eventlog: str = "eventlog", raiseJobException: bool = True
) -> EventLogEvent:
    """Waits for the first event `name` in a log of a job, as `flux.job.event_wait` does, with the same errors."""
    async with aclosing(event_watch(handle, jobid, eventlog)) as events:
        async for event in events:
            if event.name == name:
                return event
            checked(event, raiseJobException)
    raise never_came(name)


async def journal(
    handle: Handle, full: bool = True, since: float = 0.0, include_sentinel: bool = False
) -> AsyncGenerator[JournalEvent, None]:
    """Yields the events of all jobs: first those that were, then those that come; see `flux.job.JournalConsumer`."""
    sentinel: JournalEventBase | None = SENTINEL_EVENT if include_sentinel else None
    history = History(events_of, full, since, sentinel)
    async with handle.stream(TOPIC, {"full": full}, nodeid=0) as answers:
        async for answer in answers:
            for event in history.take(answer):
                assert isinstance(event, JournalEvent)
                yield event
