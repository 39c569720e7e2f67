"""The options of the job shell (flux-shell(1)): what of them is there, and what each means to `wreck`. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

from flux.base.duration import parse_fsd
from flux.base.invalid import Invalid
from flux.base.jobspec import Jobspec
from flux.base.mask import text
from flux.base.rset import ResourceSet
from flux.shell.binding import checked
from flux.shell.job import Options

EFFECTLESS = ("pty", "pmi", "mpi", "stage-in", "hwloc", "oom", "userrc", "initrc", "stop-tasks-in-exec")
"""Options that have no effect."""
REMARK = 3
"""Severity of an exception that is only a remark."""
EXIT_TIMEOUT = 30.0
"""Seconds that tasks may run on after the first of them has ended."""
WARNING = {"signum": 10, "timeleft": 60.0}
"""The signal that comes before a job's time is over, and seconds before."""


def remarks(spec: Jobspec) -> Iterator[str]:
    """What has no effect, and who runs the job should know it."""
    for name in EFFECTLESS:
        if spec.options.get(name) not in (None, "none", "simple", 0):
            yield f"the shell option {name} has no effect"


def options(spec: Jobspec, resources: ResourceSet, ranks: Sequence[int], files: Any) -> Options:
    """What the tasks on these ranks have. Raises Invalid."""
    made = spec.options
    shares = [resources.ranks[rank] for rank in ranks]
    limits = made.get("rlimit") or {}
    if not all(isinstance(limit, int) for limit in limits.values()):
        raise Invalid("rlimit: a limit is an integer")
    if not isinstance(files, dict) or not all(isinstance(entry, dict) for entry in files.values()):
        raise Invalid("files: not an object of objects (RFC 37)")
    return Options(
        name=job_name(spec),
        input=_input(made.get("input") or {}),
        limits=limits,
        cores=[text(share.cores) for share in shares],
        gpus=[text(share.gpus) for share in shares],
        cpu_affinity=checked("cpu-affinity", made.get("cpu-affinity", "on")),
        gpu_affinity=checked("gpu-affinity", made.get("gpu-affinity", "on")),
        files=files,
    )


def unbuffered(spec: Jobspec) -> bool:
    """Whether output comes as it is written."""
    stdout = (spec.options.get("output") or {}).get("stdout") or {}
    return bool((stdout.get("buffer") or {}).get("type") == "none")


def job_name(spec: Jobspec) -> str:
    """The job's name; without one, its command's."""
    return spec.name or spec.command[0].rpartition("/")[2]


def _input(option: dict[str, Any]) -> str:
    stdin = option.get("stdin") or {}
    if stdin.get("type", "service") == "service":
        return ""
    if stdin["type"] != "file" or not isinstance(stdin.get("path"), str):
        raise Invalid("input.stdin: is neither a service nor a file with a path")
    return str(stdin["path"])


def exit_timeout(spec: Jobspec) -> float | None:
    """Seconds that tasks may run on after the first of them has ended; None for ever. Raises Invalid."""
    value = spec.options.get("exit-timeout", EXIT_TIMEOUT)
    if value == "none":
        return None
    return _seconds("exit-timeout", value)


def warning(spec: Jobspec) -> tuple[int, float] | None:
    """The signal before the end of the job's time, and how many seconds before. Raises Invalid."""
    option = spec.options.get("signal")
    if option in (None, 0, False):
        return None
    given = WARNING | (option if isinstance(option, dict) else {})
    if not isinstance(given["signum"], int) or not 0 < given["signum"] < 65:
        raise Invalid(f"signal: {given['signum']!r:.40} is not the number of a signal")
    return given["signum"], _seconds("signal.timeleft", given["timeleft"])


def _seconds(what: str, value: Any) -> float:
    try:
        seconds = parse_fsd(value) if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        seconds = -1
    if seconds < 0:
        raise Invalid(f"{what}: {value!r:.40} is not a duration")
    return seconds
