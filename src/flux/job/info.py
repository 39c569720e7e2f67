"""What is written of a job (RFC 41)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flux.base.jobid import JobID
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux


def job_info_lookup(flux_handle: "Flux", jobid: int | str, keys: Sequence[str] = ("jobspec",), flags: int = 0) -> RPC:
    """Asks for some keys of a job: jobspec, J, R, eventlog, guest.output. The answer has each by its name, as text."""
    return RPC(flux_handle, "job-info.lookup", {"id": JobID(jobid), "keys": list(keys), "flags": flags})


def text(flux_handle: "Flux", jobid: int | str, key: str) -> str:
    """One key of a job, as text. OSError(ENOENT) if there is nothing."""
    found: dict[str, Any] = job_info_lookup(flux_handle, jobid, [key]).get()
    return str(found[key])
