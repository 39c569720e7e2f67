"""What is written of a job (RFC 16, 41; flux-job(1), info)."""

import json
from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flux.base.jobid import JobID
from flux.constants import FLUX_JOB_LOOKUP_CURRENT
from flux.future import WaitAllFuture
from flux.job.list import unknown
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

LOOKUP = "job-info.lookup"
JOBSPEC = ("jobspec",)
OBJECTS = ("jobspec", "R")
"""Keys that are objects as JSON; all else is text."""


class JobInfoLookupRPC(RPC):
    """Some keys of a job that are asked for. `job_info_lookup` makes one."""

    jobid: int | str = 0
    """As it was asked for."""

    def get_decode(self) -> dict[str, Any]:
        """The keys, with jobspec and R as objects. OSError as of `job_info_lookup`."""
        return decoded(self.get())


def looking(jobid: int | str, keys: Iterable[str], flags: int = 0) -> dict[str, Any]:
    """The payload of LOOKUP."""
    return {"id": JobID(jobid), "keys": list(keys), "flags": flags}


def decoded(told: dict[str, Any]) -> dict[str, Any]:
    """The same with objects where there is JSON of them."""
    for key in OBJECTS:
        if isinstance(told.get(key), str):
            try:
                told[key] = json.loads(told[key])
            except ValueError:
                continue
    return told


def wanted(keys: Iterable[str], original: bool) -> list[str]:
    """The keys to ask for: the jobspec as it was submitted is in J."""
    return list(dict.fromkeys("J" if original and key == "jobspec" else key for key in keys))


def shaped(told: dict[str, Any], keys: Sequence[str], decode: bool, original: bool) -> dict[str, Any]:
    """An answer as it was asked for."""
    if original and "jobspec" in keys:
        told["jobspec"] = submitted(told["J"])
        if "J" not in keys:
            del told["J"]
    return decoded(told) if decode else told


def submitted(J: str) -> str:
    """The jobspec that was signed (RFC 15), as JSON."""
    return a2b_base64(J.split(".")[1]).decode()


def job_info_lookup(
    flux_handle: "Flux", jobid: int | str, keys: Sequence[str] = JOBSPEC, flags: int = 0
) -> JobInfoLookupRPC:
    """Asks for keys of a job: jobspec, J, R, eventlog, guest.output, guest.exec.eventlog, ... (RFC 16).

    `flags` may be FLUX_JOB_LOOKUP_CURRENT: jobspec and R as later events have changed them. Returns a future: `get`
    gives a dict of texts, `get_decode` the same with objects for jobspec and R. OSError: ENOENT for an unknown job or
    key, EPERM for somebody else's job.
    """
    made = JobInfoLookupRPC(flux_handle, LOOKUP, looking(jobid, keys, flags))
    made.jobid = jobid
    return made


def job_kvs_lookup(
    flux_handle: "Flux",
    jobid: int | str,
    keys: Sequence[str] = JOBSPEC,
    decode: bool = True,
    original: bool = False,
    base: bool = False,
) -> dict[str, Any] | None:
    """Some keys of a job (RFC 16), as `job_info_lookup` has them, by name; None for an unknown job or key.

    `decode` makes objects of jobspec and R. `original` is the jobspec as it was submitted; `base` leaves out what
    events have changed since. OSError(EPERM) for somebody else's job.
    """
    lookup = JobKVSLookup(flux_handle, [jobid], keys, decode, original, base)
    try:
        return lookup.read(job_info_lookup(flux_handle, jobid, lookup.asked, lookup.flags))
    except FileNotFoundError:
        return None


class JobKVSLookupFuture(WaitAllFuture):
    """Keys of several jobs that are asked for; who is not there is in `errors`."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []

    def get(self) -> list[dict[str, Any]]:
        """Those that are there, as text."""
        return [child.get() for child in self.found()]

    def get_decode(self) -> list[dict[str, Any]]:
        """Those that are there, with objects for jobspec and R."""
        return [child.get_decode() for child in self.found()]

    def found(self) -> list[JobInfoLookupRPC]:
        """The answers of those that are there, when all have come."""
        self.wait_for()
        there = []
        for child in self.children:
            assert isinstance(child, JobInfoLookupRPC)
            error = child.error()
            if error is None:
                there.append(child)
            else:
                self.errors.append(unknown(child.jobid, error))
        return there


class JobKVSLookup:
    """Keys of several jobs."""

    def __init__(
        self,
        flux_handle: "Flux",
        ids: Iterable[int | str] = (),
        keys: Sequence[str] = JOBSPEC,
        decode: bool = True,
        original: bool = False,
        base: bool = False,
    ) -> None:
        """What is asked for is as for `job_kvs_lookup`. ValueError for what is no job id."""
        self.handle = flux_handle
        self.ids = [JobID(id) for id in ids]
        self.keys, self.decode = list(keys), decode
        self.errors: list[str] = []
        """What went wrong with single jobs, after `data`."""
        self.flags = 0 if base else FLUX_JOB_LOOKUP_CURRENT
        self.original = original
        self.asked = wanted(self.keys, original)

    def fetch_data(self) -> JobKVSLookupFuture:
        """Asks. Returns a future: `get`, `get_decode`."""
        several = JobKVSLookupFuture()
        for id in self.ids:
            several.push(job_info_lookup(self.handle, id, self.asked, self.flags))
        return several

    def data(self) -> list[dict[str, Any]]:
        """Asks, and returns a dict for each job that is there."""
        several = self.fetch_data()
        found = [self.read(child) for child in several.found()]
        self.errors = several.errors
        return found

    def read(self, answer: JobInfoLookupRPC) -> dict[str, Any]:
        """What one job's answer has, as it was asked for."""
        return shaped(answer.get(), self.keys, self.decode, self.original)
