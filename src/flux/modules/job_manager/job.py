"""One job as the fold of its events (RFC 21). Pure: `apply` takes an event, nothing is decided here."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from flux.base.jobid import JobID
from flux.base.jobspec import Jobspec
from flux.base.jobstate import WAITABLE, Result, State, priority_of

Context = Mapping[str, Any]


class Job:
    """What the manager knows of a job that is not over."""

    __slots__ = (
        "R",
        "alloc_asked",
        "annotations",
        "dependencies",
        "duration",
        "end",
        "environment",
        "epilogs",
        "exception",
        "flags",
        "freed",
        "id",
        "jobspec",
        "kvs",
        "log",
        "memo",
        "name",
        "priority",
        "prologs",
        "queue",
        "ready",
        "released",
        "satisfied",
        "spec_dependencies",
        "start_asked",
        "started",
        "state",
        "status",
        "submitted",
        "urgency",
        "userid",
    )

    def __init__(self, id: int, jobspec: dict[str, Any], spec: Jobspec) -> None:
        self.id = id
        self.kvs = JobID(id).kvs
        self.jobspec = msgspec.json.encode(jobspec)
        """Without the environment; encoded, for there may be many."""
        self.name = spec.name or spec.command[0].rpartition("/")[2]
        self.queue, self.duration = spec.queue, spec.duration
        self.spec_dependencies = spec.dependencies
        self.state = State.NEW
        self.userid, self.urgency, self.flags = 0, 16, 0
        self.priority = -1
        self.submitted = 0.0
        self.dependencies: dict[str, None] = {}
        """What it still waits for, by description."""
        self.satisfied: set[str] = set()
        self.prologs = self.epilogs = 0
        self.R: dict[str, Any] | None = None
        self.alloc_asked = self.start_asked = False
        """Whether the scheduler, or who executes, has been asked and has not answered."""
        self.ready = False
        """Whether the event `alloc` is in the key-value store: nothing starts before."""
        self.started = False
        self.released = self.freed = False
        """Whether nothing runs any more; whether the scheduler has everything back."""
        self.status: int | None = None
        """The wait status that it has finished with."""
        self.exception: dict[str, Any] | None = None
        """The first that was fatal."""
        self.annotations: dict[str, Any] = {}
        self.memo: dict[str, Any] = {}
        self.end = 0.0
        self.log: list[bytes] = []
        """The lines of its eventlog."""

    # -- what follows from it ---------------------------------------------------------------------------------------

    @property
    def waitable(self) -> bool:
        """Whether somebody may wait for its end by job-manager.wait."""
        return bool(self.flags & WAITABLE)

    @property
    def spec(self) -> dict[str, Any]:
        """The jobspec as an object."""
        found: dict[str, Any] = msgspec.json.decode(self.jobspec)
        return found

    @property
    def result(self) -> Result:
        """How it has ended, or would if it were over now."""
        if self.exception is not None:
            kinds = {"cancel": Result.CANCELED, "timeout": Result.TIMEOUT}
            return kinds.get(self.exception["type"], Result.FAILED)
        return Result.COMPLETED if self.status == 0 else Result.FAILED

    @property
    def eventlog(self) -> str:
        """All of its events."""
        return b"".join(self.log).decode()

    # -- events -----------------------------------------------------------------------------------------------------

    def apply(self, name: str, context: Context, timestamp: float) -> None:
        """Takes the next event. One that is not known changes nothing."""
        change = CHANGES.get(name)
        if change is not None:
            change(self, context, timestamp)

    def _submit(self, context: Context, timestamp: float) -> None:
        self.userid, self.urgency, self.flags = context["userid"], context["urgency"], context.get("flags", 0)
        self.submitted = timestamp

    def _validate(self, context: Context, timestamp: float) -> None:
        self._enter(State.DEPEND)

    def _dependency_add(self, context: Context, timestamp: float) -> None:
        self.dependencies[context["description"]] = None

    def _dependency_remove(self, context: Context, timestamp: float) -> None:
        self.dependencies.pop(context["description"], None)
        self.satisfied.add(context["description"])

    def _depend(self, context: Context, timestamp: float) -> None:
        self._enter(State.PRIORITY)

    def _priority(self, context: Context, timestamp: float) -> None:
        self.priority = context["priority"]
        if self.state == State.PRIORITY:
            self._enter(State.SCHED)

    def _urgency(self, context: Context, timestamp: float) -> None:
        self.urgency = context["urgency"]
        if self.state in (State.SCHED, State.PRIORITY):
            self.priority = priority_of(self.urgency)

    def _flux_restart(self, context: Context, timestamp: float) -> None:
        if self.state == State.SCHED:
            self.state = State.PRIORITY

    def _alloc(self, context: Context, timestamp: float) -> None:
        self._annotate(context.get("annotations") or {})
        self._enter(State.RUN)

    def _start(self, context: Context, timestamp: float) -> None:
        self.started = True

    def _finish(self, context: Context, timestamp: float) -> None:
        self.status = context["status"]
        self._enter(State.CLEANUP)

    def _release(self, context: Context, timestamp: float) -> None:
        self.released = self.released or bool(context.get("final"))

    def _free(self, context: Context, timestamp: float) -> None:
        self.freed = True

    def _clean(self, context: Context, timestamp: float) -> None:
        self._enter(State.INACTIVE)
        self.end = timestamp

    def _exception(self, context: Context, timestamp: float) -> None:
        if context["severity"] == 0:
            if self.exception is None:
                self.exception = dict(context)
            self._enter(State.CLEANUP)

    def _prolog(self, context: Context, timestamp: float) -> None:
        self.prologs += 1

    def _prolog_end(self, context: Context, timestamp: float) -> None:
        self.prologs -= 1

    def _epilog(self, context: Context, timestamp: float) -> None:
        self.epilogs += 1

    def _epilog_end(self, context: Context, timestamp: float) -> None:
        self.epilogs -= 1

    def _memo(self, context: Context, timestamp: float) -> None:
        merge(self.memo, context)

    def _set_flags(self, context: Context, timestamp: float) -> None:
        from flux.base.jobstate import FLAGS

        for flag in context["flags"]:
            self.flags |= FLAGS.get(flag, 0)

    def _jobspec_update(self, context: Context, timestamp: float) -> None:
        spec = self.spec
        for path, value in context.items():
            put(spec, path, value)
        self.jobspec = msgspec.json.encode(spec)
        system = spec["attributes"]["system"]
        self.queue = system.get("queue", "")
        self.duration = float(system.get("duration") or 0.0)
        self.name = system.get("job", {}).get("name", self.name)

    def _resource_update(self, context: Context, timestamp: float) -> None:
        if self.R is not None and "expiration" in context:
            self.R["execution"]["expiration"] = context["expiration"]

    def _annotate(self, annotations: Context | None) -> None:
        if annotations is None:
            self.annotations.clear()
        else:
            merge(self.annotations, annotations)

    def _annotations(self, context: Context, timestamp: float) -> None:
        self._annotate(context.get("annotations"))

    def _enter(self, state: State) -> None:
        self.state = max(self.state, state)


def merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Updates an object by another one; null takes a key away."""
    for key, value in new.items():
        if value is None:
            into.pop(key, None)
        elif isinstance(value, Mapping):
            inner = into.get(key)
            if not isinstance(inner, dict):
                inner = into[key] = {}
            merge(inner, value)
            if not inner:
                del into[key]
        else:
            into[key] = value


def put(obj: dict[str, Any], path: str, value: Any) -> None:
    """Sets what is at a path of keys with dots between them."""
    *way, last = path.split(".")
    for key in way:
        obj = obj.setdefault(key, {})
    obj[last] = value


CHANGES: dict[str, Callable[[Job, Context, float], None]] = {
    "submit": Job._submit,
    "validate": Job._validate,
    "dependency-add": Job._dependency_add,
    "dependency-remove": Job._dependency_remove,
    "depend": Job._depend,
    "priority": Job._priority,
    "urgency": Job._urgency,
    "flux-restart": Job._flux_restart,
    "alloc": Job._alloc,
    "start": Job._start,
    "finish": Job._finish,
    "release": Job._release,
    "free": Job._free,
    "clean": Job._clean,
    "exception": Job._exception,
    "prolog-start": Job._prolog,
    "prolog-finish": Job._prolog_end,
    "epilog-start": Job._epilog,
    "epilog-finish": Job._epilog_end,
    "memo": Job._memo,
    "set-flags": Job._set_flags,
    "jobspec-update": Job._jobspec_update,
    "resource-update": Job._resource_update,
    "annotations": Job._annotations,
}
