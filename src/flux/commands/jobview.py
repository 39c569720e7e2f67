"""What listings show of a job: the fields of flux-jobs(1), from what job-list answers."""

import pwd
import time
from collections.abc import Callable
from typing import Any

from flux.base.jobid import JobID
from flux.base.jobstate import Result, State
from flux.base.waitstatus import exit_code

ABBREVIATIONS = {1: "N", 2: "D", 4: "P", 8: "S", 16: "R", 32: "C", 64: "I"}
RESULTS = {Result.COMPLETED: "CD", Result.FAILED: "F", Result.CANCELED: "CA", Result.TIMEOUT: "TO"}
EMOJI = {
    "NEW": "🎁",
    "DEPEND": "🛑",
    "PRIORITY": "🚦",
    "SCHED": "📅",
    "RUN": "🏃",
    "CLEANUP": "🗑",
    "INACTIVE": "💀",
    "COMPLETED": "😀",
    "FAILED": "💩",
    "CANCELED": "💥",
    "TIMEOUT": "⌛",
}
ALWAYS = {
    "queue": "",
    "name": "",
    "cwd": "",
    "bank": "",
    "project": "",
    "ntasks": "",
    "ncores": "",
    "nnodes": "",
    "ranks": "",
    "nodelist": "",
    "duration": 0.0,
    "expiration": 0.0,
    "waitstatus": "",
    "success": "",
    "priority": "",
    "urgency": "",
    "userid": "",
}
"""Fields that are as they come, with what is shown where there is nothing."""
TIMES = ("t_submit", "t_depend", "t_priority", "t_sched", "t_run", "t_cleanup", "t_inactive")
IDS = ("dec", "hex", "f58", "f58plain", "dothex", "kvs")
EXCEPTIONS = ("occurred", "severity", "type", "note")

HEADINGS = {
    **{name: name.upper() for name in (*ALWAYS, *TIMES, "state", "status", "result", "runtime", "dependencies")},
    "id": "JOBID",
    "userid": "UID",
    "username": "USER",
    "urgency": "URG",
    "priority": "PRI",
    **{f"id.{way}": "JOBID" for way in IDS},
    "state_single": "S",
    "state_emoji": "STATE",
    "status_abbrev": "ST",
    "status_emoji": "STATUS",
    "result_abbrev": "RS",
    "result_emoji": "RESULT",
    "returncode": "RC",
    "t_remaining": "T_REMAINING",
    "contextual_info": "INFO",
    "contextual_time": "TIME",
    "inactive_reason": "INACTIVE-REASON",
    **{f"exception.{name}": f"EXCEPTION-{name.upper()}" for name in EXCEPTIONS},
    "annotations": "ANNOTATIONS",
    "uri": "URI",
}
"""The fields that there are, with their headings. Annotations have more: `known` says which."""
USES = {
    "username": ("userid",),
    "status": ("state", "result"),
    "status_abbrev": ("state", "result"),
    "status_emoji": ("state", "result"),
    "state_single": ("state",),
    "state_emoji": ("state",),
    "result_abbrev": ("result",),
    "result_emoji": ("result",),
    "runtime": ("t_run", "t_cleanup"),
    "contextual_time": ("state", "t_run", "t_cleanup", "annotations"),
    "contextual_info": ("state", "nodelist", "dependencies", "annotations", "urgency", "priority"),
    "returncode": ("waitstatus", "result", "t_run", "exception_occurred"),
    "t_remaining": ("expiration", "state"),
    "inactive_reason": ("result", "waitstatus", "exception_type", "exception_note", "t_inactive", "t_run"),
    "uri": ("annotations",),
}
"""The attributes that a field is made of, where they are not its own name."""


class Headings(dict[str, str]):
    """The headings; any annotation has one."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or str(name).startswith(("annotations.", "sched.", "user."))

    def __missing__(self, name: str) -> str:
        return name.rpartition(".")[2].upper() if name.startswith("annotations.") else name.upper()


def attributes(fields: list[str]) -> list[str]:
    """What is to be asked of job-list for some fields."""
    found: dict[str, None] = {}
    for field in fields:
        if field == "id" or field.startswith("id."):
            continue
        if field.startswith("exception."):
            found[field.replace(".", "_")] = None
        elif field.startswith(("annotations", "sched.", "user.")):
            found["annotations"] = None
        else:
            found |= dict.fromkeys(USES.get(field, (field,)))
    return list(found)


class JobView:
    """One job."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told
        self.id = JobID(told["id"])

    def get(self, field: str) -> Any:
        """A field."""
        if field in MADE:
            return MADE[field](self)
        if field in ALWAYS:
            return self._told.get(field, ALWAYS[field])
        if field.startswith("id."):
            return getattr(self.id, field[3:])
        if field.startswith("exception."):
            return self._told.get(field.replace(".", "_"), "")
        if field.startswith(("annotations.", "sched.", "user.")):
            return self._annotation(field.removeprefix("annotations."))
        return self._told.get(field, 0.0)

    def _annotation(self, path: str) -> Any:
        at: Any = self._told.get("annotations", {})
        for name in path.split("."):
            at = at.get(name, "") if isinstance(at, dict) else ""
        return at

    @property
    def state(self) -> State:
        """Where it is."""
        return State(self._told.get("state", 1))

    @property
    def result(self) -> Result | None:
        """How it has ended."""
        found = self._told.get("result")
        return Result(found) if found else None

    @property
    def status(self) -> str:
        """Its state, or how it has ended."""
        return self.result.name if self.result is not None else str(self.state.name)

    def _abbreviation(self) -> str:
        return RESULTS[self.result] if self.result is not None else ABBREVIATIONS[int(self.state)]

    def runtime(self) -> float:
        """Seconds that it has run."""
        begun, ended = self._told.get("t_run", 0.0), self._told.get("t_cleanup", 0.0)
        if not begun:
            return 0.0
        return float((ended or time.time()) - begun)

    def _contextual_time(self) -> Any:
        estimate = self._annotation("sched.t_estimate")
        if self.state & State.PENDING and estimate:
            return float(estimate) - time.time()
        return self.runtime()

    def _contextual_info(self) -> str:
        if self.state == State.PRIORITY:
            return "priority-wait"
        if self.state == State.DEPEND:
            return "depends:" + ",".join(self._told.get("dependencies", ()))
        if self.state == State.SCHED:
            if self._told.get("priority") == 0 or self._told.get("urgency") == 0:
                return "held"
            estimate = self._annotation("sched.t_estimate")
            if estimate:
                from flux.base.outputformat import duration

                return f"eta:{duration(max(0.0, float(estimate) - time.time()))}"
            return str(self._annotation("sched.reason_pending"))
        return str(self._told.get("nodelist", ""))

    def _returncode(self) -> Any:
        status = self._told.get("waitstatus")
        if self.result is not None and not self._told.get("t_run"):
            return -128
        if status is None:
            return ""
        signum = status & 127
        return -signum if signum else status >> 8

    def _remaining(self) -> float:
        left = self._told.get("expiration", 0.0) - time.time()
        return max(0.0, left) if self.state & State.RUNNING else 0.0

    def _reason(self) -> str:
        result = self.result
        if result is None:
            return ""
        note = self._told.get("exception_note") or ""
        if result is Result.CANCELED:
            return f"Canceled: {note}" if note else "Canceled"
        if result is Result.TIMEOUT:
            return "Timeout"
        if result is Result.COMPLETED:
            return "Exit 0"
        if self._told.get("exception_type") not in (None, "") and "waitstatus" not in self._told:
            return f"Exception: type={self._told['exception_type']} note={note}"
        code = exit_code(self._told.get("waitstatus", 0))
        if code > 128:
            from signal import strsignal

            return str(strsignal(code - 128))
        return f"Exit {code}"

    def _username(self) -> str:
        uid = self._told.get("userid", 0)
        if uid not in NAMES:
            try:
                NAMES[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                NAMES[uid] = str(uid)
        return NAMES[uid]

    def described(self) -> dict[str, Any]:
        """All that is known, for programs."""
        told = {key: value for key, value in self._told.items() if not key.startswith("exception_")}
        found = {**told, "id": self.id.f58, "username": self._username(), "state": self.state.name}
        found |= {"status": self.status, "runtime": self.runtime(), "returncode": self._returncode()}
        if self.result is not None:
            found["result"] = self.result.name
        found["exception"] = {name: self.get(f"exception.{name}") for name in EXCEPTIONS}
        return found


NAMES: dict[int, str] = {}
MADE: dict[str, Callable[[JobView], Any]] = {
    "id": lambda job: job.id.f58,
    "username": JobView._username,
    "state": lambda job: job.state.name,
    "state_single": lambda job: ABBREVIATIONS[int(job.state)],
    "state_emoji": lambda job: EMOJI[str(job.state.name)],
    "status": lambda job: job.status,
    "status_abbrev": JobView._abbreviation,
    "status_emoji": lambda job: EMOJI[job.status],
    "result": lambda job: job.result.name if job.result is not None else "",
    "result_abbrev": lambda job: RESULTS[job.result] if job.result is not None else "",
    "result_emoji": lambda job: EMOJI[job.result.name] if job.result is not None else "",
    "runtime": JobView.runtime,
    "contextual_time": JobView._contextual_time,
    "contextual_info": JobView._contextual_info,
    "returncode": JobView._returncode,
    "t_remaining": JobView._remaining,
    "inactive_reason": JobView._reason,
    "dependencies": lambda job: ",".join(job._told.get("dependencies", ())),
    "annotations": lambda job: job._told.get("annotations", ""),
    "uri": lambda job: job._annotation("user.uri"),
}
