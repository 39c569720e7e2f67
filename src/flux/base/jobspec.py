"""What a job asks for (RFC 25, jobspec V1), as services need it; `Jobspec.parse` names the key that is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

from flux.base.constraint import Constraint, parse
from flux.base.invalid import Invalid

VERTEX = {"type", "count", "unit", "with", "label", "exclusive"}
LEAVES = ("core", "gpu", "memory")
SYSTEM_TEXTS = ("cwd", "queue", "bank", "project")


class Slot(NamedTuple):
    """What each slot needs; memory in MiB (ours)."""

    cores: int
    gpus: int = 0
    memory: int = 0


class Resources(NamedTuple):
    """The shape that a job asks for."""

    slot: Slot
    nslots: int
    """Of each node if nodes are asked for, else in all."""
    nnodes: int = 0
    """0: as few as they fit on."""
    exclusive: bool = False
    """Whether it wants whole nodes."""

    @property
    def total_slots(self) -> int:
        """Slots in all."""
        return self.nslots * (self.nnodes or 1)


@dataclass(frozen=True, slots=True)
class Jobspec:
    """One job's wishes."""

    resources: Resources
    command: tuple[str, ...]
    task_count: tuple[str, int]
    """("per_slot", 1) or ("total", N)."""
    duration: float = 0.0
    """Seconds; 0 is no limit."""
    queue: str = ""
    name: str = ""
    cwd: str = ""
    constraint: Constraint | None = None
    dependencies: tuple[Mapping[str, Any], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    """The shell's."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    system: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ntasks(self) -> int:
        """How many tasks it has, as far as that does not depend on where they run (`-o per-resource`)."""
        kind, count = self.task_count
        return count if kind == "total" else count * self.resources.total_slots

    @classmethod
    def parse(cls, obj: Any) -> "Jobspec":
        """Reads a jobspec. Raises Invalid."""
        for key, kind in (("resources", list), ("tasks", list), ("attributes", dict), ("version", int)):
            _get(obj, key, kind, "")
        if obj["version"] != 1:
            raise Invalid(f"version: {obj['version']} is not supported, only 1")
        resources = _resources(obj["resources"])
        command, task_count = _task(obj["tasks"], resources)
        system = _get(obj["attributes"], "system", dict, "attributes.")
        known = _system(system)
        return cls(resources, command, task_count, system=system, **known)


def read_resources(obj: Any) -> Resources:
    """The shape alone, of a jobspec object. Raises Invalid."""
    return _resources(_get(obj, "resources", list, ""))


# -- resources ------------------------------------------------------------------------------------------------------


def _resources(vertices: list[Any]) -> Resources:
    if len(vertices) != 1:
        raise Invalid(f"resources: {len(vertices)} vertices at the top, not one")
    top, where = vertices[0], "resources[0]."
    kind = _vertex(top, where)
    if kind == "slot":
        return Resources(_slot(top, where), top["count"], exclusive=bool(top.get("exclusive")))
    if kind != "node":
        raise Invalid(f"{where}type: '{kind}' is neither node nor slot")
    below = _with(top, where)
    if len(below) != 1 or _vertex(below[0], f"{where}with[0].") != "slot":
        raise Invalid(f"{where}with: a node has one slot vertex")
    slot = _slot(below[0], f"{where}with[0].")
    return Resources(slot, below[0]["count"], top["count"], bool(top.get("exclusive")))


def _vertex(vertex: Any, where: str) -> str:
    kind: str = _get(vertex, "type", str, where)
    if _get(vertex, "count", int, where) < 1:
        raise Invalid(f"{where}count: {vertex['count']} is not positive")
    unknown = vertex.keys() - VERTEX
    if unknown:
        raise Invalid(f"{where}{min(unknown)}: unknown key")
    if "exclusive" in vertex and not isinstance(vertex["exclusive"], bool):
        raise Invalid(f"{where}exclusive: not a boolean")
    return kind


def _with(vertex: Any, where: str) -> list[Any]:
    below: list[Any] = _get(vertex, "with", list, where)
    return below


def _slot(vertex: Any, where: str) -> Slot:
    _get(vertex, "label", str, where)
    counts = dict.fromkeys(LEAVES, 0)
    for number, leaf in enumerate(_with(vertex, where)):
        at = f"{where}with[{number}]."
        kind = _vertex(leaf, at)
        if kind not in counts:
            raise Invalid(f"{at}type: '{kind}' is none of core, gpu, memory")
        if counts[kind]:
            raise Invalid(f"{at}type: {kind} is there twice")
        if kind == "memory" and leaf.get("unit", "MiB") != "MiB":
            raise Invalid(f"{at}unit: memory is in MiB")
        counts[kind] = leaf["count"]
    if not counts["core"]:
        raise Invalid(f"{where}with: a slot needs a core")
    return Slot(counts["core"], counts["gpu"], counts["memory"])


def _task(tasks: list[Any], resources: Resources) -> tuple[tuple[str, ...], tuple[str, int]]:
    if len(tasks) != 1:
        raise Invalid(f"tasks: {len(tasks)} of them, not one")
    task, where = tasks[0], "tasks[0]."
    command = _get(task, "command", list, where)
    if not command or not all(isinstance(word, str) for word in command):
        raise Invalid(f"{where}command: not a list of words")
    _get(task, "slot", str, where)
    count = _get(task, "count", dict, where)
    if len(count) != 1 or next(iter(count)) not in ("per_slot", "total"):
        raise Invalid(f"{where}count: neither per_slot nor total")
    kind, number = next(iter(count.items()))
    if not _is_int(number) or number < 1:
        raise Invalid(f"{where}count.{kind}: {number!r:.20} is not a positive integer")
    if kind == "per_slot" and number != 1:
        raise Invalid(f"{where}count.per_slot: {number} is not 1")
    return tuple(command), (kind, number)


# -- attributes -----------------------------------------------------------------------------------------------------


def _system(system: dict[str, Any]) -> dict[str, Any]:
    where = "attributes.system."
    duration = system.get("duration")
    if not isinstance(duration, int | float) or isinstance(duration, bool) or not isfinite(duration) or duration < 0:
        raise Invalid(f"{where}duration: {'required' if duration is None else 'not a number of seconds'}")
    for key in SYSTEM_TEXTS:
        if not isinstance(system.get(key, ""), str):
            raise Invalid(f"{where}{key}: not a string")
    environment = system.get("environment") or {}
    if not isinstance(environment, dict) or not all(isinstance(v, str | None) for v in environment.values()):
        raise Invalid(f"{where}environment: not an object of strings")
    job, shell = (_object(system, key, where) for key in ("job", "shell"))
    if not isinstance(job.get("name", ""), str):
        raise Invalid(f"{where}job.name: not a string")
    try:
        constraint = parse(system["constraints"]) if system.get("constraints") is not None else None
    except Invalid as error:
        raise Invalid(f"{where}constraints: {error}") from None
    return {
        "duration": float(duration),
        "queue": system.get("queue", ""),
        "name": job.get("name", ""),
        "cwd": system.get("cwd", ""),
        "constraint": constraint,
        "dependencies": _dependencies(system.get("dependencies") or [], f"{where}dependencies"),
        "options": _object(shell, "options", f"{where}shell."),
        "environment": environment,
    }


def _dependencies(found: Any, where: str) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(found, list):
        raise Invalid(f"{where}: not a list")
    for number, one in enumerate(found):
        for key in ("scheme", "value"):
            if not isinstance(one, dict) or not isinstance(one.get(key), str):
                raise Invalid(f"{where}[{number}].{key}: required")
    return tuple(found)


def _object(obj: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    found = obj.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Invalid(f"{where}{key}: not an object")
    return found


def _get(obj: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(obj, dict):
        raise Invalid(f"{where.rstrip('.') or 'jobspec'}: not an object")
    if key not in obj:
        raise Invalid(f"{where}{key}: required")
    if not isinstance(obj[key], kind) or isinstance(obj[key], bool):
        raise Invalid(f"{where}{key}: not {NAMES[kind]}")
    return obj[key]


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


NAMES: dict[type, str] = {dict: "an object", list: "a list", int: "an integer", str: "a string"}
