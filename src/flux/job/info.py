"""One job as listings show it (RFC 43; the fields of flux-jobs(1)), and what is written of it (RFC 41)."""

import os
import pwd
import sys
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from flux.base.duration import fsd
from flux.base.jobid import JobID
from flux.base.jobstate import Result, State
from flux.job.annotations import Annotations, Dependencies, Exceptional, JobURI
from flux.job.infoformat import JobInfoFormat, job_fields_to_attrs

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.job.instance import InstanceInfo

__all__ = [
    "JobInfo",
    "JobInfoFormat",
    "job_fields_to_attrs",
    "resulttostr",
    "statetostr",
    "statustostr",
    "text",
]

STATES = {"NEW": "N", "DEPEND": "D", "PRIORITY": "P", "SCHED": "S", "RUN": "R", "CLEANUP": "C", "INACTIVE": "I"}
RESULTS = {"COMPLETED": "CD", "FAILED": "F", "CANCELED": "CA", "TIMEOUT": "TO"}
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
SMILEYS = {"COMPLETED": ":-)", "FAILED": ":'-(", "CANCELED": "%-|", "TIMEOUT": "(-_-)"}
CODES = {126: "Command invoked cannot execute", 127: "command not found", 128: "Invalid argument to exit"}


def statetostr(stateid: int, fmt: str = "L") -> str:
    """The name of a state (RFC 21): "L" long, "S" short, "l" and "s" in small letters."""
    return _written(State(stateid).name or "", STATES, fmt)


def resulttostr(resultid: Any, fmt: str = "L") -> str:
    """The name of a result, as `statetostr`; "" of none."""
    return _written(Result(resultid).name, RESULTS, fmt) if resultid != "" else ""


def statustostr(stateid: int, resultid: Any, fmt: str = "L") -> str:
    """The name of the state while a job is active, then that of its result."""
    return statetostr(stateid, fmt) if stateid & State.ACTIVE else resulttostr(resultid, fmt)


def text(flux_handle: "Flux", jobid: int | str, key: str) -> str:
    """One key of a job, as text. OSError(ENOENT) if there is nothing."""
    from flux.job.kvslookup import job_info_lookup

    found: dict[str, Any] = job_info_lookup(flux_handle, jobid, [key]).get()
    return str(found[key])


class JobInfo:
    """One job: what `flux.job.job_list` and the like have of it, and what follows from that, by name.

    Names are the fields of flux-jobs(1): id, name, userid, username, state, status, result, returncode, runtime,
    nodelist, t_submit (seconds since 1970), duration (seconds), exception.type, annotations.user.x, ... What is not
    known is "" or 0. AttributeError for a name that is none, or that was not asked for (see `job_list`).
    """

    defaults: ClassVar[dict[str, Any]] = {
        **dict.fromkeys(("t_depend", "t_priority", "t_sched", "t_run", "t_cleanup", "t_inactive"), 0.0),
        **dict.fromkeys(("duration", "expiration"), 0.0),
        **dict.fromkeys(("name", "cwd", "queue", "project", "bank", "ntasks", "ncores", "nnodes", "priority"), ""),
        **dict.fromkeys(("ranks", "nodelist", "success", "result", "waitstatus"), ""),
    }
    properties = (
        *("id", "t_submit", "t_remaining", "state", "result", "username", "userid", "urgency", "runtime", "status"),
        *("returncode", "dependencies"),
    )
    """What `to_dict` has besides."""

    def __init__(self, info_resp: dict[str, Any]) -> None:
        told = self.defaults | info_resp
        told["id"] = JobID(told["id"])
        for name in ("state", "result"):
            if name in told:
                told[f"{name}_id"] = told.pop(name)
        told["exception"] = Exceptional(*(told.get(f"exception_{name}", "") for name in Exceptional._fields))
        told["annotations"] = Annotations(told.get("annotations") or {})
        told["dependencies"] = Dependencies(told.get("dependencies") or ())
        self._told = told

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._told:
            return self._told[name]
        raise AttributeError(f"invalid JobInfo attribute '{name}'")

    # -- where it is ------------------------------------------------------------------------------------------------

    @cached_property
    def state(self) -> str:
        """DEPEND, PRIORITY, SCHED, RUN, CLEANUP or INACTIVE."""
        return statetostr(self.state_id)

    @cached_property
    def state_single(self) -> str:
        """The same as one letter."""
        return statetostr(self.state_id, "S")

    @cached_property
    def state_emoji(self) -> str:
        """The same as a picture, where stdout has them."""
        return _picture(EMOJI[self.state], self.state_single)

    @cached_property
    def result(self) -> str:
        """COMPLETED, FAILED, CANCELED or TIMEOUT; "" while it is active."""
        return resulttostr(self.result_id)

    @cached_property
    def result_abbrev(self) -> str:
        """The same in short."""
        return resulttostr(self.result_id, "S")

    @cached_property
    def result_emoji(self) -> str:
        """The same as a picture, where stdout has them."""
        return _picture(EMOJI[self.result], SMILEYS[self.result]) if self.result else _picture("\u3000", "")

    @cached_property
    def status(self) -> str:
        """The state while it is active, then the result."""
        return statustostr(self.state_id, self.result_id)

    @cached_property
    def status_abbrev(self) -> str:
        """The same in short."""
        return statustostr(self.state_id, self.result_id, "S")

    @cached_property
    def status_emoji(self) -> str:
        """The same as a picture, where stdout has them."""
        return self.state_emoji if self.state_id & State.ACTIVE else self.result_emoji

    @cached_property
    def username(self) -> str:
        """Whose job it is; the number, if it has no name here."""
        try:
            return pwd.getpwuid(self.userid).pw_name
        except KeyError:
            return str(self.userid)

    # -- annotations ------------------------------------------------------------------------------------------------

    @property
    def user(self) -> Any:
        """Annotations of its user."""
        return self.annotations.user

    @property
    def sched(self) -> Any:
        """Annotations of the scheduler."""
        return self.annotations.sched

    @cached_property
    def uri(self) -> JobURI | None:
        """Where to connect to, if it is a Flux instance."""
        found = str(self.user.uri)
        return JobURI(found) if found else None

    @cached_property
    def instance(self) -> "InstanceInfo":
        """What is known of the instance that it is; asked now, unless `get_instance_info` was called."""
        from flux.job.instance import InstanceInfo

        return InstanceInfo(self.uri if self.uri is not None and self.state == "RUN" else None)

    def get_instance_info(self) -> "JobInfo":
        """Asks the instance that it is, if it is one and runs: `instance` has its resources and jobs then."""
        _ = self.instance
        return self

    # -- times ------------------------------------------------------------------------------------------------------

    def get_runtime(self) -> float:
        """Seconds that it has run."""
        if not self.t_run:
            return 0.0
        return float((self.t_cleanup or time.time()) - self.t_run)

    @cached_property
    def runtime(self) -> float:
        """Seconds that it has run, when this was first asked for."""
        return self.get_runtime()

    def get_remaining_time(self) -> float:
        """Seconds that it may still run; 0 if it does not run, or if nothing is known."""
        try:
            return max(0.0, self.expiration - time.time()) if self.status == "RUN" else 0.0
        except AttributeError:
            return 0.0

    @property
    def t_remaining(self) -> float:
        """The same."""
        return self.get_remaining_time()

    @cached_property
    def contextual_time(self) -> Any:
        """The time limit while it waits, then how long it has run; seconds."""
        return self.duration if self.state_id & State.PENDING else self.runtime

    # -- how it goes ------------------------------------------------------------------------------------------------

    @cached_property
    def contextual_info(self) -> str:
        """What it waits for, or where it runs."""
        match self.state:
            case "PRIORITY":
                return "priority-wait"
            case "DEPEND":
                return f"depends:{self.dependencies}"
            case "SCHED":
                return self._waits_for()
        return str(self.nodelist)

    def _waits_for(self) -> str:
        estimate = self.sched.t_estimate
        if isinstance(estimate, int | float):
            left = estimate - time.time()
            return f"eta:{fsd(left) if left >= 0 else 'now'}"
        if self.urgency == 0:
            return "held"
        return "priority-hold" if self.priority == 0 else ""

    @cached_property
    def returncode(self) -> Any:
        """The highest exit code of its shells, minus a signal's number, -128 if it was canceled before it ran, 1 if it
        failed before; "" while it is active."""
        if isinstance(self.waitstatus, int):
            return os.waitstatus_to_exitcode(self.waitstatus)
        return {int(Result.CANCELED): -128, int(Result.FAILED): 1}.get(self.result_id, "")

    @cached_property
    def inactive_reason(self) -> str:
        """How it ended, for people; "" while it is active."""
        if self.state != "INACTIVE":
            return ""
        exception, code = self.exception, self.returncode
        match self.result:
            case "CANCELED":
                told = exception.occurred and exception.type == "cancel" and exception.note
                return f"Canceled: {exception.note}" if told else "Canceled"
            case "TIMEOUT":
                return "Timeout"
            case "FAILED" if exception.occurred and exception.type != "exec" and exception.severity == 0:
                return f"Exception: type={exception.type}" + (f" note={exception.note}" if exception.note else "")
            case "FAILED":
                return _failed(code)
        return f"Exit {code}"

    # -- all of it --------------------------------------------------------------------------------------------------

    def to_dict(self, filtered: bool = True) -> dict[str, Any]:
        """What is known, by name, as JSON can carry it; `jobid` is the id in F58. `filtered` leaves out what is not
        known, else it is "" or 0."""
        told: dict[str, Any] = {}
        for name in (*self.defaults, *self.properties):
            try:
                told[name] = getattr(self, name)
            except AttributeError:
                continue
        told |= {"jobid": self.id.f58, "annotations": self.annotations.told, "exception": self.exception._asdict()}
        if self.uri is not None:
            told["uri"] = str(self.uri)
        return _known(told) if filtered else told


def _known(told: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in told.items() if value != "" and not (value == 0 and _is_time(name))}
    if not told["exception"]["occurred"]:
        kept["exception"] = {"occurred": False}
    if "uri" in kept:  # once is enough
        user = {name: value for name, value in told["annotations"]["user"].items() if name != "uri"}
        rest = {name: value for name, value in told["annotations"].items() if name != "user"}
        kept["annotations"] = rest | ({"user": user} if user else {})
    return kept


def _is_time(name: str) -> bool:
    return name.startswith("t_") or name in ("runtime", "expiration")


def _failed(code: Any) -> str:
    if code in CODES:
        return CODES[code]
    if isinstance(code, int) and (code > 128 or code < 0):
        from signal import strsignal

        number = code - 128 if code > 128 else -code
        try:
            return strsignal(number) or f"Signaled {number}"
        except ValueError:
            return f"Signaled {number}"
    return f"Exit {code}"


def _written(name: str, short: dict[str, str], fmt: str) -> str:
    found = short[name] if fmt in ("S", "s") else name
    return found.lower() if fmt in ("s", "l") else found


def _picture(emoji: str, plain: str) -> str:
    try:
        emoji.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return plain
    return emoji
