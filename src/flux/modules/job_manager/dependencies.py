"""Which jobs wait for which (RFC 26): afterok, afternotok, afterany, afterexcept, afterstart, singleton. Pure."""

from collections.abc import Iterator, Mapping
from errno import EINVAL
from typing import Any, NamedTuple

from flux.base.jobid import JobID, parse
from flux.base.jobstate import Result, State
from flux.modules.job_manager.job import Job

AFTER = ("after", "afterstart", "afterok", "afternotok", "afterany", "afterexcept")
SCHEMES = (*AFTER, "singleton", "begin-time")


class Ended(NamedTuple):
    """What is remembered of a job that is over."""

    result: Result
    excepted: bool
    """Whether an exception ended it."""
    started: bool = True


class Verdict(NamedTuple):
    """A job's dependency is met, or will never be."""

    id: int
    description: str
    met: bool
    note: str = ""


class Dependencies:
    """Who waits for whom, by the job that is waited for."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[tuple[int, str], str]] = {}
        """By the job that is waited for: (who waits, description) with the scheme."""
        self._single: dict[tuple[int, str], dict[int, None]] = {}
        """Jobs by user and name, in the order in which they may run."""

    def add(self, job: Job, dependency: Mapping[str, Any], other: Job | Ended | None) -> str | None:
        """A job depends on another one; returns the description, None if that is met already. OSError: EINVAL."""
        scheme, value = dependency["scheme"], dependency["value"]
        if scheme not in SCHEMES:
            raise OSError(EINVAL, f'dependency scheme "{scheme}" not supported')
        if scheme == "singleton":
            return self._add_single(job)
        id = target(scheme, value)
        description = f"{scheme}={JobID(id).f58}"
        if other is None:
            raise OSError(EINVAL, f"dependency: {scheme}: id {value}: No such file or directory")
        if isinstance(other, Ended):
            if not _met(scheme, other):
                raise OSError(EINVAL, f"dependency: {scheme}: job {value} {_why(scheme)}")
            return None
        if scheme in ("after", "afterstart") and other.started:
            return None
        self._waiting.setdefault(id, {})[job.id, description] = scheme
        return description

    def _add_single(self, job: Job) -> str | None:
        before = self._single.setdefault((job.userid, job.name), {})
        before[job.id] = None
        return "singleton" if next(iter(before)) != job.id else None

    def started(self, job: Job) -> Iterator[Verdict]:
        """A job has started."""
        waiting = self._waiting.get(job.id, {})
        for (id, description), scheme in list(waiting.items()):
            if scheme in ("after", "afterstart"):
                del waiting[id, description]
                yield Verdict(id, description, met=True)

    def ended(self, job: Job) -> Iterator[Verdict]:
        """A job is over."""
        ended = Ended(job.result, job.exception is not None, job.started)
        for (id, description), scheme in self._waiting.pop(job.id, {}).items():
            met = _met(scheme, ended)
            yield Verdict(id, description, met, "" if met else f"job {JobID(job.id).f58} {_why(scheme)}")
        key = (job.userid, job.name)
        line = self._single.get(key)
        if line is not None and job.id in line:
            first = next(iter(line)) == job.id
            del line[job.id]
            if not line:
                del self._single[key]
            elif first:
                yield Verdict(next(iter(line)), "singleton", met=True)

    def forget(self, job: Job) -> None:
        """A job waits no more."""
        for description in job.dependencies:
            _, _, text = description.partition("=")
            if text:
                self._waiting.get(_id(text), {}).pop((job.id, description), None)


def target(scheme: str, value: str) -> int:
    """The job that a dependency names. OSError(EINVAL)."""
    id = _id(value)
    if id < 0:
        raise OSError(EINVAL, f'dependency: {scheme}: "{value}" is not a valid jobid')
    return id


def _id(text: str) -> int:
    try:
        return parse(text)
    except ValueError:
        return -1


def _met(scheme: str, ended: Ended) -> bool:
    match scheme:
        case "afterok":
            return ended.result is Result.COMPLETED
        case "afternotok":
            return ended.result is not Result.COMPLETED
        case "afterexcept":
            return ended.excepted
        case "after" | "afterstart":
            return ended.started
    return True


def _why(scheme: str) -> str:
    return {
        "afterok": "failed",
        "afternotok": "succeeded",
        "afterexcept": "ended without an exception",
        "after": "never started",
        "afterstart": "never started",
    }[scheme]


def pending(state: State) -> bool:
    """Whether a job that waits for somebody may still do so."""
    return state == State.DEPEND
