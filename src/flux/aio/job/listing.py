"""What is known of jobs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flux.aio.handle import Handle
from flux.aio.kvs import get
from flux.base.jobid import JobID
from flux.base.jobstate import State
from flux.constants import FLUX_JOB_LOOKUP_CURRENT, FLUX_USERID_UNKNOWN
from flux.job.info import JobInfo
from flux.job.kvslookup import JOBSPEC, LOOKUP, looking, shaped, wanted
from flux.job.list import ALL, LIST, LIST_ID, MOST, listing
from flux.job.stats import STATS, JobStats
from flux.job.timeleft import INSTANCE_R, asking, left, no_job, own_job


async def job_list(
    handle: Handle,
    max_entries: int = MOST,
    attrs: Sequence[str] = ALL,
    userid: int | None = None,
    states: int = 0,
    results: int = 0,
    since: float = 0.0,
    name: str | None = None,
    queue: str | Iterable[str] | None = None,
    constraint: Mapping[str, Any] | None = None,
) -> list[JobInfo]:
    """The jobs that are asked for, as `flux.job.job_list` has them."""
    asked = listing(max_entries, attrs, userid, states, results, since, name, queue, constraint)
    async with handle.stream(LIST, asked) as answers:
        return [JobInfo(job) async for answer in answers for job in answer["jobs"]]


async def job_list_inactive(
    handle: Handle,
    since: float = 0.0,
    max_entries: int = MOST,
    attrs: Sequence[str] = ALL,
    name: str | None = None,
    queue: str | Iterable[str] | None = None,
    constraint: Mapping[str, Any] | None = None,
) -> list[JobInfo]:
    """Everybody's jobs that are over, as `flux.job.job_list_inactive` has them."""
    everybody, over = FLUX_USERID_UNKNOWN, int(State.INACTIVE)
    return await job_list(handle, max_entries, attrs, everybody, over, 0, since, name, queue, constraint)


async def job_list_id(handle: Handle, jobid: int | str, attrs: Sequence[str] = ALL) -> JobInfo:
    """One job. OSError(ENOENT) for an unknown one."""
    return JobInfo((await handle.rpc(LIST_ID, {"id": JobID(jobid), "attrs": list(attrs)}))["job"])


async def get_job(handle: Handle, jobid: int | str) -> dict[str, Any] | None:
    """What is known of a job, as a dict; None for an unknown one; as `flux.job.get_job` has it."""
    try:
        return (await job_list_id(handle, jobid)).to_dict(filtered=False)
    except FileNotFoundError:
        return None


async def job_info_lookup(
    handle: Handle, jobid: int | str, keys: Sequence[str] = JOBSPEC, flags: int = 0
) -> dict[str, Any]:
    """Keys of a job as text, as `flux.job.job_info_lookup` has them."""
    found: dict[str, Any] = await handle.rpc(LOOKUP, looking(jobid, keys, flags))
    return found


async def job_kvs_lookup(
    handle: Handle,
    jobid: int | str,
    keys: Sequence[str] = JOBSPEC,
    decode: bool = True,
    original: bool = False,
    base: bool = False,
) -> dict[str, Any] | None:
    """Keys of a job, None for an unknown job or key, as `flux.job.job_kvs_lookup` has them."""
    flags = 0 if base else FLUX_JOB_LOOKUP_CURRENT
    try:
        told = await job_info_lookup(handle, jobid, wanted(keys, original), flags)
    except FileNotFoundError:
        return None
    return shaped(told, keys, decode, original)


async def job_stats(handle: Handle, queue: str | Iterable[str] | None = None) -> JobStats:
    """How many jobs there are in each state, of all or of queues. ValueError for a queue that has had no jobs."""
    stats = JobStats(None, queue)
    stats.take(await handle.rpc(STATS, {}))
    return stats


async def timeleft(handle: Handle) -> float:
    """Seconds that the job which this process belongs to may still run, as `flux.job.timeleft` says."""
    id = own_job()
    if id is not None:
        return left((await handle.rpc(LIST_ID, asking(id)))["job"].get("expiration"))
    try:
        await handle.rpc("attr.get", {"name": "jobid"})
    except FileNotFoundError:
        raise no_job() from None
    return left((await get(handle, INSTANCE_R))["execution"].get("expiration"))
