"""What job-list knows of one job: the fold of its events, and its attributes as RFC 43 names them. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from flux.base.idset import IDset
from flux.base.invalid import Invalid
from flux.base.jobspec import Jobspec
from flux.base.jobstate import Result, State, priority_of
from flux.base.rset import ResourceSet

TIMES = {
    State.DEPEND: "t_depend",
    State.PRIORITY: "t_priority",
    State.SCHED: "t_sched",
    State.RUN: "t_run",
    State.CLEANUP: "t_cleanup",
    State.INACTIVE: "t_inactive",
}
"""When it came to a state."""
OPTIONAL = ("name", "cwd", "queue", "project", "bank", "ntasks", "ncores", "nnodes", "ranks", "nodelist", "duration")


class Record:
    """One job."""

    __slots__ = ("_told", "annotations", "dependencies", "exception", "id", "state", "status", "times")

    def __init__(self, id: int) -> None:
        self.id = id
        self.state = State.NEW
        self.times: dict[str, float] = {}
        self.status: int | None = None
        self.exception: Mapping[str, Any] | None = None
        self.annotations: dict[str, Any] = {}
        self.dependencies: list[str] = []
        self._told: dict[str, Any] = {"priority": -1}

    # -- what happens -----------------------------------------------------------------------------------------------

    def specify(self, jobspec: Mapping[str, Any]) -> None:
        """Takes the jobspec."""
        try:
            spec = Jobspec.parse(jobspec)
        except Invalid:
            return  # what ran once is listed whatever it was
        system, told = spec.system, self._told
        told["name"] = spec.name or spec.command[0].rpartition("/")[2]
        for key in ("cwd", "queue", "project", "bank"):
            if system.get(key):
                told[key] = system[key]
        told["duration"] = spec.duration
        wanted = spec.resources
        told["ncores"] = wanted.total_slots * wanted.slot.cores
        if wanted.nnodes:
            told["nnodes"] = wanted.nnodes
            if wanted.exclusive:
                del told["ncores"]  # that depends on the nodes
        told["ntasks"] = spec.ntasks

    def allocate(self, R: Mapping[str, Any]) -> None:
        """Takes what it got."""
        resources = ResourceSet.parse(R)
        self._told |= {
            "ranks": resources.ids.encode(),
            "nnodes": len(resources),
            "ncores": resources.count("core"),
            "nodelist": resources.nodelist,
            "expiration": resources.expiration,
        }

    def apply(self, event: Mapping[str, Any]) -> None:
        """Takes an event."""
        change = CHANGES.get(event["name"])
        if change is not None:
            change(self, event.get("context") or {}, event["timestamp"])

    def _enter(self, state: State, timestamp: float) -> None:
        if state > self.state:
            self.state = state
            self.times[TIMES[state]] = timestamp

    def _submit(self, context: Mapping[str, Any], timestamp: float) -> None:
        self._told |= {"userid": context["userid"], "urgency": context["urgency"], "t_submit": timestamp}

    def _add(self, context: Mapping[str, Any], timestamp: float) -> None:
        self.dependencies = [*self.dependencies, context["description"]]

    def _remove(self, context: Mapping[str, Any], timestamp: float) -> None:
        self.dependencies = [one for one in self.dependencies if one != context["description"]]

    def _priority(self, context: Mapping[str, Any], timestamp: float) -> None:
        self._told["priority"] = context["priority"]
        self._enter(State.SCHED, timestamp)

    def _urgency(self, context: Mapping[str, Any], timestamp: float) -> None:
        self._told["urgency"] = context["urgency"]
        if self.state == State.SCHED:
            self._told["priority"] = priority_of(context["urgency"])

    def _alloc(self, context: Mapping[str, Any], timestamp: float) -> None:
        _merge(self.annotations, context.get("annotations") or {})
        self._enter(State.RUN, timestamp)

    def _finish(self, context: Mapping[str, Any], timestamp: float) -> None:
        self.status = context["status"]
        self._enter(State.CLEANUP, timestamp)

    def _exception(self, context: Mapping[str, Any], timestamp: float) -> None:
        if self.exception is None or context["severity"] < self.exception["severity"]:
            self.exception = context
        if context["severity"] == 0:
            self._enter(State.CLEANUP, timestamp)

    def _annotate(self, context: Mapping[str, Any], timestamp: float) -> None:
        told = context.get("annotations")
        if told is None:
            self.annotations = {}
        else:
            _merge(self.annotations, told)

    def _memo(self, context: Mapping[str, Any], timestamp: float) -> None:
        _merge(self.annotations, {"user": dict(context)})

    def _update(self, context: Mapping[str, Any], timestamp: float) -> None:
        for path, value in context.items():
            key = path.rpartition(".")[2]
            if key in ("queue", "project", "bank", "cwd", "name"):
                self._told[key] = value
            elif key == "duration":
                self._told["duration"] = float(value)

    def _resources(self, context: Mapping[str, Any], timestamp: float) -> None:
        if "expiration" in context:
            self._told["expiration"] = context["expiration"]

    # -- what is asked ----------------------------------------------------------------------------------------------

    @property
    def result(self) -> Result | None:
        """How it has ended; None before."""
        if self.state != State.INACTIVE:
            return None
        if self.exception is not None and self.exception["severity"] == 0:
            kinds = {"cancel": Result.CANCELED, "timeout": Result.TIMEOUT}
            return kinds.get(self.exception["type"], Result.FAILED)
        return Result.COMPLETED if self.status == 0 else Result.FAILED

    def get(self, name: str) -> Any:
        """An attribute, None if there is none."""
        found = self._told.get(name)
        return found if found is not None else self.times.get(name)

    def described(self) -> dict[str, Any]:
        """All attributes that it has."""
        told = {"id": self.id, **self._told, **self.times, "state": int(self.state)}
        if self.status is not None:
            told["waitstatus"] = self.status
        if self.exception is not None:
            told |= {
                "exception_occurred": True,
                "exception_severity": self.exception["severity"],
                "exception_type": self.exception["type"],
                "exception_note": self.exception.get("note") or "",
            }
        else:
            told["exception_occurred"] = False
        result = self.result
        if result is not None:
            told |= {"result": int(result), "success": result is Result.COMPLETED}
        if self.annotations:
            told["annotations"] = self.annotations
        if self.dependencies:
            told["dependencies"] = self.dependencies
        return told

    @property
    def ranks(self) -> IDset:
        """Where it runs, or ran."""
        return IDset(self._told.get("ranks", ""))


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, Mapping):
            inner = into.get(key)
            into[key] = inner = dict(inner) if isinstance(inner, dict) else {}
            _merge(inner, value)
            if not inner:
                del into[key]
        else:
            into[key] = value


ATTRIBUTES = (
    *("userid", "urgency", "priority", "t_submit", "t_depend", "t_priority", "t_sched", "t_run", "t_cleanup"),
    *("t_inactive", "state", "name", "cwd", "queue", "project", "bank", "ntasks", "ncores", "duration", "nnodes"),
    *("ranks", "nodelist", "success", "exception_occurred", "exception_type", "exception_severity"),
    *("exception_note", "result", "expiration", "annotations", "waitstatus", "dependencies"),
)

Change = Callable[[Record, Mapping[str, Any], float], None]
CHANGES: dict[str, Change] = {
    "submit": Record._submit,
    "validate": lambda record, context, timestamp: record._enter(State.DEPEND, timestamp),
    "dependency-add": Record._add,
    "dependency-remove": Record._remove,
    "depend": lambda record, context, timestamp: record._enter(State.PRIORITY, timestamp),
    "priority": Record._priority,
    "urgency": Record._urgency,
    "alloc": Record._alloc,
    "finish": Record._finish,
    "exception": Record._exception,
    "clean": lambda record, context, timestamp: record._enter(State.INACTIVE, timestamp),
    "annotations": Record._annotate,
    "memo": Record._memo,
    "jobspec-update": Record._update,
    "resource-update": Record._resources,
}
