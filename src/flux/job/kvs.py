"""The directories of a job in the key-value store (RFC 16)."""

from typing import TYPE_CHECKING

from flux.base.jobid import JobID

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.kvs import KVSDir


def job_kvs(flux_handle: "Flux", jobid: int | str) -> "KVSDir":
    """The directory of a job, with its eventlog, J, jobspec, R. OSError(ENOENT) for an unknown job.

    Only the instance owner may read it so; `flux.job.job_kvs_lookup` is for everybody (flux_job_kvs_key(3)).
    """
    import flux.kvs

    return flux.kvs.get_dir(flux_handle, JobID(jobid).kvs)


def job_kvs_guest(flux_handle: "Flux", jobid: int | str) -> "KVSDir":
    """The directory of what the job itself wrote: input, output, exec.eventlog. OSError(ENOENT) if it never ran."""
    import flux.kvs

    return flux.kvs.get_dir(flux_handle, f"{JobID(jobid).kvs}.guest")
