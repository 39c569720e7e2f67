"""Resources for the tasks of one event loop; what comes back is that of `flux.resource`.

async with flux.aio.connect() as h:
    print((await resource_list(h)).free.ncores)
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any

from flux.aio.handle import Handle
from flux.base.idset import IDset
from flux.job.consumer import History, JournalEventBase
from flux.resource.journal import TOPIC as JOURNAL
from flux.resource.journal import ResourceJournalEvent
from flux.resource.list import SchedResourceList, topic
from flux.resource.status import MANAGER, STATUS, ResourceStatus, in_housekeeping


async def resource_list(handle: Handle) -> SchedResourceList:
    """What there is, and what of it is up, down, allocated, free, as `flux.resource.resource_list` has it."""
    return SchedResourceList(await handle.rpc(topic(), nodeid=0))


async def resource_status(handle: Handle) -> ResourceStatus:
    """Which nodes are there, and what is to be said of them, as `flux.resource.resource_status` has it."""
    status = await handle.rpc(STATUS, nodeid=0)
    allocated = housekeeping = IDset()
    with suppress(OSError):  # without a scheduler, or a job manager, nothing is allocated
        allocated = (await resource_list(handle)).allocated.ranks
        housekeeping = in_housekeeping(await handle.rpc(MANAGER, nodeid=0))
    return ResourceStatus(status, allocated, housekeeping)


async def resource_journal(
    handle: Handle, since: float = 0.0, include_sentinel: bool = False
) -> AsyncGenerator[ResourceJournalEvent, None]:
    """Yields what happens to resources: first what was, then what comes; see `flux.resource.ResourceJournalConsumer`.

    Who leaves the loop early closes it: `contextlib.aclosing`.
    """
    history = History(_events, True, since, ResourceJournalEvent({}) if include_sentinel else None)
    async with handle.stream(JOURNAL, nodeid=0) as answers:
        async for answer in answers:
            for event in history.take(answer):
                assert isinstance(event, ResourceJournalEvent)
                yield event


def _events(answer: Mapping[str, Any]) -> list[JournalEventBase]:
    return [ResourceJournalEvent(entry, answer.get("R")) for entry in answer["events"]]
