"""What jobs may ask for that is not there: said, rather than left out in silence. Pure."""

from collections.abc import Iterator

from flux.base.jobspec import Jobspec

EFFECTLESS = ("gpu-affinity", "signal", "pty", "exit-timeout", "exit-on-error", "pmi", "mpi", "stage-in", "hwloc")
"""Options of the job shell that have no effect."""
REMARK = 3
"""Severity of an exception that is only a remark."""


def refusal(spec: Jobspec) -> str:
    """Why a job cannot be run as it is meant, "" if it can."""
    if (spec.options.get("input") or {}).get("stdin"):
        return "input from a file is not supported for jobs that are submitted: use flux run"
    scheme = (spec.options.get("taskmap") or {}).get("scheme", "block")
    if scheme != "block":
        return f"taskmap {scheme} is not supported"
    return "files (--add-file) are not supported" if spec.system.get("files") else ""


def remarks(spec: Jobspec) -> Iterator[str]:
    """What has no effect, and who runs the job should know it."""
    for name in EFFECTLESS:
        if name in spec.options:
            yield f"the shell option {name} has no effect"
    if spec.options.get("cpu-affinity", "off") not in ("off", "on"):
        yield "the shell option cpu-affinity has no effect"
