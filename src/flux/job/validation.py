"""What a jobspec must be like to be an object here (RFC 14; the stricter rules of RFC 25 for version 1). Pure.

TypeError for what has the wrong kind, ValueError for what is missing or out of range; both name it.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from flux.base import hostlist, idset

TOP = frozenset({"resources", "tasks", "attributes", "version"})
COUNTED = ("node", "slot", "core")
"""Resources of which there cannot be 0."""
RANGE = frozenset({"min", "max", "operand", "operator"})
_range = re.compile(r"(\d+)(?:-(\d+)|\+)(?::(\d+)(?::(.*))?)?")


def check(resources: Any, tasks: Any, attributes: Any, version: Any) -> None:
    """Checks the four parts of a jobspec."""
    _kind("resources", resources, Sequence, "a sequence")
    _kind("tasks", tasks, Sequence, "a sequence")
    _kind("attributes", attributes, Mapping, "a mapping")
    _kind("version", version, int, "an integer")
    if version < 1:
        raise ValueError("version must be >= 1")
    for vertex in resources:
        _vertex(vertex)
    for task in tasks:
        _task(task)
    check_keys(attributes, {"system", "user"}, required=())
    if "system" in attributes:
        _system(attributes["system"])


def check_v1(resources: Any, tasks: Any, attributes: Any) -> None:
    """Checks what version 1 wants besides."""
    if "system" not in attributes:
        raise ValueError("attributes.system is a required key")
    system = attributes["system"]
    if not isinstance(system, Mapping):
        raise ValueError("attributes.system must be a mapping")
    if "duration" not in system:
        raise ValueError("attributes.system.duration is a required key")
    if not isinstance(system["duration"], int | float):
        raise ValueError("attributes.system.duration must be a number")
    for task in tasks:
        if not task["count"].keys() & {"per_slot", "total"}:
            raise ValueError("count per_slot or total must be set")
    _plain_counts(resources)


def check_keys(found: Mapping[str, Any], known: Collection[str], required: Collection[str] | None = None) -> None:
    """Checks that all required keys (all that are known, unless said otherwise) are there, and none that is unknown."""
    for key in known if required is None else required:
        if key not in found:
            raise ValueError(f"Missing key ({key})")
    for key in found:
        if key not in known:
            raise ValueError(f"Extraneous key ({key})")


def check_constraint(constraint: Any) -> None:
    """Checks an RFC 31 constraint."""
    _kind("constraints", constraint, Mapping, "a mapping")
    for operator, values in constraint.items():
        if operator not in CONSTRAINTS:
            raise TypeError(f"unknown constraint operator '{operator}'")
        _kind(f"argument to constraint {operator}", values, Sequence, "a sequence")
        for value in values:
            CONSTRAINTS[operator](value)


# -- resources --------------------------------------------------------------------------------------------------------


def _vertex(vertex: Any) -> None:
    _kind("resource", vertex, Mapping, "a mapping")
    for key in ("type", "count"):
        if key not in vertex:
            raise ValueError(f"{key} is a required key for resources")
    for key in ("type", "id", "unit", "label"):
        if key in vertex:
            _kind(key, vertex[key], str, "a string")
    _count(vertex["type"], vertex["count"])
    if vertex.get("exclusive", True) not in (True, False):
        raise TypeError("exclusive must be a boolean")
    if vertex["type"] == "slot" and "label" not in vertex:
        raise ValueError("slots must have labels")
    for inner in vertex.get("with", ()):
        _vertex(inner)


def _count(kind: str, count: Any) -> None:
    if isinstance(count, Mapping):
        _count_range(count)
    elif isinstance(count, str):
        _count_text(count)
    elif not isinstance(count, int):
        raise TypeError("count must be an int or mapping")
    elif kind in COUNTED and count < 1:
        raise ValueError("node, slot, or core count must be > 0")
    elif count < 0:
        raise ValueError("count must be >= 0")


def _count_range(count: Mapping[str, Any]) -> None:
    check_keys(count, RANGE, required=("min",))
    for key in ("min", "max", "operand"):
        if key in count:
            _kind(key, count[key], int, "an int")
            if count[key] < 1:
                raise ValueError(f"{key} must be > 0")
    if count.get("max", count["min"]) < count["min"]:
        raise ValueError("max must be >= min")
    if ("operand" in count) != ("operator" in count):
        raise ValueError("operand and operator must both be in range if either is")
    if "operator" in count:
        _operation(count["operator"], count["operand"], count["min"])


def _operation(operator: Any, operand: int, least: int) -> None:
    if not isinstance(operator, str) or len(operator) != 1:
        raise TypeError("operator must be a single character str")
    if operator not in "+*^":
        raise ValueError("operator must be one of +, *, ^")
    if operator != "+" and operand < 2:
        raise ValueError("operand must be > 1 for '*' or '^' operator")
    if operator == "^" and least < 2:
        raise ValueError("min must be > 1 for '^' operator")


def _count_text(text: str) -> None:
    """An idset (RFC 22) or a range (RFC 45): 2-8:2:*."""
    try:
        idset.decode(text)
        return
    except ValueError:
        match = _range.fullmatch(text)
    if match is None:
        raise ValueError("count string must be a valid idset or range")
    count: dict[str, Any] = {"min": int(match[1])}
    if match[2]:
        count["max"] = int(match[2])
    if match[3]:
        count |= {"operand": int(match[3]), "operator": "+" if match[4] is None else match[4]}
    _count_range(count)


def _plain_counts(resources: Any) -> None:
    for vertex in resources:
        count = vertex["count"]
        if not isinstance(count, int):
            kind = type(count).__name__
            raise ValueError(f"resource count must be an integer for type '{vertex['type']}' (got '{kind}')")
        _plain_counts(vertex.get("with", ()))


# -- tasks, attributes ------------------------------------------------------------------------------------------------


def _task(task: Any) -> None:
    _kind("task", task, Mapping, "a mapping")
    check_keys({key: None for key in task if key in ("command", "slot", "count")}, ("command", "slot", "count"))
    count = task["count"]
    _kind("count", count, Mapping, "a mapping")
    if len(count) != 1:
        raise ValueError("count must have exactly one key set")
    if not count.keys() & {"per_slot", "per_resource", "total"}:
        raise ValueError("count per_slot, per_resource, or total must be set")
    for key in ("total", "per_slot"):
        if key in count:
            _kind(f"count {key}", count[key], int, "an int")
            if count[key] <= 0:
                raise ValueError(f"count {key} must be > 0")
    _kind("slot", task["slot"], str, "a string")
    if "attributes" in task:
        _kind("attributes", task["attributes"], Mapping, "a mapping")
    _command(task["command"])


def _command(command: Any) -> None:
    if isinstance(command, str) or not isinstance(command, Sequence) or not all(isinstance(x, str) for x in command):
        raise TypeError("command must be a list of strings")
    if not command:
        raise TypeError("command array cannot have length of zero")


def _system(system: Mapping[str, Any]) -> None:
    if "dependencies" in system:
        _kind("attributes.system.dependencies", system["dependencies"], Sequence, "a list")
        for dependency in system["dependencies"]:
            for key in ("scheme", "value"):
                if key not in dependency:
                    raise ValueError(f"Missing key ({key})")
                _kind(f"dependency {key}", dependency[key], str, "a string")
    if "constraints" in system:
        check_constraint(system["constraints"])


def _property(name: Any) -> None:
    if set(name) & set("&'\"`|()"):
        raise TypeError(f"invalid character in property '{name}'")


CONSTRAINTS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("and", "or", "not"), check_constraint),
    "properties": _property,
    "hostlist": hostlist.decode,
    "ranks": idset.decode,
}


def _kind(name: str, value: Any, kind: Any, what: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {what}")
