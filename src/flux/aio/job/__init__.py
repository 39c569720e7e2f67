"""Jobs for the tasks of one event loop; what is asked for, what comes back, and errors, are those of `flux.job`.

async with flux.aio.connect() as h:
    id = await submit(h, JobspecV1.from_command(["hostname"], num_tasks=4))
    async for stream, text in output_watch(h, id):
        ...
    print((await result(h, id)).returncode)
"""

from flux.aio.job.events import event_wait, event_watch, journal
from flux.aio.job.listing import (
    get_job,
    job_info_lookup,
    job_kvs_lookup,
    job_list,
    job_list_id,
    job_list_inactive,
    job_stats,
    timeleft,
)
from flux.aio.job.output import job_output, output_event_watch, output_watch, output_watch_lines
from flux.aio.job.running import cancel, job_raise, kill, result, submit, wait

__all__ = [
    "cancel",
    "event_wait",
    "event_watch",
    "get_job",
    "job_info_lookup",
    "job_kvs_lookup",
    "job_list",
    "job_list_id",
    "job_list_inactive",
    "job_output",
    "job_raise",
    "job_stats",
    "journal",
    "kill",
    "output_event_watch",
    "output_watch",
    "output_watch_lines",
    "result",
    "submit",
    "timeleft",
    "wait",
]
