"""Formats of lines about jobs (flux-jobs(1), OUTPUT FORMAT): their fields, headings, and what each is made of."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TextIO

from flux.base.outputformat import OutputFormat

IDS = ("dec", "hex", "f58", "f58plain", "dothex", "kvs")
PLAIN = (
    *("userid", "urgency", "priority", "state", "name", "cwd", "queue", "project", "bank", "ntasks", "ncores"),
    *("duration", "nnodes", "ranks", "nodelist", "success", "waitstatus", "result", "t_submit", "t_depend"),
    *("t_priority", "t_sched", "t_run", "t_cleanup", "t_inactive", "annotations", "dependencies"),
)
"""Fields that are attributes of job-list themselves."""
EXCEPTION = ("occurred", "severity", "type", "note")
STATUS = ("state", "result")
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in PLAIN},
    **dict.fromkeys(("id", *(f"id.{way}" for way in IDS)), ()),
    **{f"exception.{name}": (f"exception_{name}",) for name in EXCEPTION},
    "username": ("userid",),
    **dict.fromkeys(("state_single", "state_emoji"), ("state",)),
    **dict.fromkeys(("result_abbrev", "result_emoji"), ("result",)),
    **dict.fromkeys(("status", "status_abbrev", "status_emoji"), STATUS),
    "returncode": ("waitstatus", "result"),
    "runtime": ("t_run", "t_cleanup"),
    **dict.fromkeys(("expiration", "t_remaining"), ("expiration", *STATUS)),
    "contextual_info": ("state", "dependencies", "annotations", "nodelist", "priority", "urgency"),
    "contextual_time": ("state", "t_run", "t_cleanup", "duration"),
    "inactive_reason": (*STATUS, "waitstatus", *(f"exception_{name}" for name in EXCEPTION)),
    **dict.fromkeys(("sched", "user", "uri", "uri.local", "uri.remote"), ("annotations",)),
}
"""The attributes of job-list that each field is made of."""
SHORT = {
    **{name: "JOBID" for name in ATTRIBUTES if name == "id" or name.startswith("id.")},
    "userid": "UID",
    "username": "USER",
    "urgency": "URG",
    "priority": "PRI",
    "state_single": "S",
    "state_emoji": "STATE",
    "result_abbrev": "RS",
    "result_emoji": "RESULT",
    "status_abbrev": "ST",
    "status_emoji": "STATUS",
    "waitstatus": "WSTATUS",
    "returncode": "RC",
    "contextual_info": "INFO",
    "contextual_time": "TIME",
    "uri.local": "URI",
    "uri.remote": "URI",
    "sched.t_estimate": "T_ESTIMATE",
    "sched.reason_pending": "REASON",
    "sched.resource_summary": "RESOURCES",
    "instance.stats.total": "NJOBS",
    "instance.utilization": "CORE%",
    "instance.gpu_utilization": "GPU%",
    "instance.progress": "PROG",
}
"""Headings that are not the field's own name."""


def job_fields_to_attrs(fields: Iterable[str]) -> set[str]:
    """The attributes to ask job-list for (see `flux.job.job_list`), to have some fields of `JobInfo`.

    KeyError for a field that there is not.
    """
    attrs: set[str] = set()
    for field in fields:
        if field.startswith("instance."):
            attrs |= {"annotations", *STATUS}
        elif field.startswith(("annotations.", "sched.", "user.")):
            attrs.add("annotations")
        else:
            attrs.update(ATTRIBUTES[field])
    return attrs


class Headings(dict[str, str]):
    """The heading of each field; of any annotation too."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).startswith(("annotations.", "sched.", "user.", "instance."))

    def __missing__(self, name: str) -> str:
        if name.startswith("annotations.sched."):
            return self[name.removeprefix("annotations.")]
        kept = name.removeprefix("annotations.").removeprefix("instance.").removeprefix("resources.")
        return kept.upper()


class JobInfoFormat(OutputFormat):
    """Shows `JobInfo` objects, one line each: `JobInfoFormat("{id.f58} {name:<10} {status}").print_items(jobs)`."""

    headings: ClassVar[Mapping[str, str]] = Headings(
        {name: SHORT.get(name, name.upper().replace("EXCEPTION.", "EXCEPTION-")) for name in (*ATTRIBUTES, *SHORT)}
        | {"inactive_reason": "INACTIVE-REASON"}
    )

    def __init__(self, fmt: str, headings: Mapping[str, str] | None = None, prepend: str | None = None) -> None:
        """`fmt` is a format of flux-jobs(1). ValueError names an unknown field."""
        super().__init__(fmt, self.headings if headings is None else headings)

    def header(self) -> str:
        """The line of headings."""
        return self.lines([], value)[0]

    def format(self, obj: Any) -> str:
        """The line of a job."""
        return self.lines([obj], value, heading=False)[0]

    def print_items(self, items: Sequence[Any], no_header: bool = False, file: TextIO | None = None) -> None:
        """Writes headings, unless they are not wanted, and the lines of some jobs: to stdout, or to a file."""
        for line in self.lines(list(items), value, heading=not no_header):
            print(line, file=file or sys.stdout)


def value(job: Any, field: str) -> Any:
    """A field of a job, by its path."""
    for name in field.split("."):
        job = getattr(job, name, "")
    return job if isinstance(job, int | float | str) or job is None else str(job)
