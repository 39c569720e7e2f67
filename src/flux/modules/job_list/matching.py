"""Which jobs a constraint of RFC 43 means. Pure."""

import operator
from collections.abc import Callable
from typing import Any

from flux.base.hostlist import Hostlist
from flux.base.idset import IDset
from flux.base.invalid import Invalid
from flux.base.jobstate import Result, State
from flux.modules.job_list.record import Record

Match = Callable[[Record], bool]
ANYBODY = 0xFFFFFFFF
TIMES = ("t_submit", "t_depend", "t_run", "t_cleanup", "t_inactive")
COMPARE = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}


def parse(obj: Any) -> Match:
    """Reads a constraint. Raises Invalid."""
    if not isinstance(obj, dict):
        raise Invalid("constraint is not an object")
    if not obj:
        return lambda record: True
    if len(obj) > 1:
        raise Invalid("constraint must contain only 1 element")
    name, values = next(iter(obj.items()))
    if not isinstance(values, list):
        raise Invalid("constraint values must be in an array")
    if name in TIMES:
        return _time(name, values)
    if name not in OPERATORS:
        raise Invalid(f"unknown constraint operator: {name:.40}")
    return OPERATORS[name](values)


def _userid(values: list[Any]) -> Match:
    wanted = set(_ints("userid", values))
    if ANYBODY in wanted:
        return lambda record: True
    return lambda record: record.get("userid") in wanted


def _texts(name: str) -> Callable[[list[Any]], Match]:
    def made(values: list[Any]) -> Match:
        if not all(isinstance(value, str) for value in values):
            raise Invalid(f"{name} value must be a string")
        wanted = set(values)
        return lambda record: record.get(name) in wanted

    return made


def _states(values: list[Any]) -> Match:
    wanted = _bits("states", values, {name.lower(): int(state) for name, state in State.__members__.items()})
    return lambda record: bool(record.state & wanted)


def _results(values: list[Any]) -> Match:
    wanted = _bits("results", values, {result.name.lower(): int(result) for result in Result})
    return lambda record: bool((record.result or 0) & wanted)


def _bits(name: str, values: list[Any], known: dict[str, int]) -> int:
    wanted = 0
    for value in values:
        if isinstance(value, str) and value.lower() in known:
            wanted |= known[value.lower()]
        elif isinstance(value, int) and not isinstance(value, bool):
            wanted |= value
        else:
            raise Invalid(f"invalid {name} value '{value!s:.40}'")
    return wanted


def _ints(name: str, values: list[Any]) -> list[int]:
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise Invalid(f"{name} value must be an integer")
    return [value & 0xFFFFFFFF for value in values]


def _hostlist(values: list[Any]) -> Match:
    try:
        wanted = {host for value in values for host in Hostlist(value)}
    except (ValueError, TypeError):
        raise Invalid("hostlist value is not a hostlist") from None
    return lambda record: not wanted.isdisjoint(Hostlist(record.get("nodelist") or ""))


def _ranks(values: list[Any]) -> Match:
    try:
        wanted = IDset().union(*values)
    except (ValueError, TypeError):
        raise Invalid("ranks value is not an idset") from None
    return lambda record: bool(record.ranks.intersect(wanted))


def _time(name: str, values: list[Any]) -> Match:
    tests = []
    for value in values:
        sign = next((sign for sign in COMPARE if isinstance(value, str) and value.startswith(sign)), None)
        if sign is None:
            raise Invalid(f"{name}: '{value!s:.40}' begins with none of {', '.join(COMPARE)}")
        try:
            tests.append((COMPARE[sign], float(value.removeprefix(sign))))
        except ValueError:
            raise Invalid(f"{name}: '{value:.40}' has no time") from None

    def matching(record: Record) -> bool:
        time = record.get(name)
        return time is not None and any(compare(time, limit) for compare, limit in tests)

    return matching


def _and(values: list[Any]) -> Match:
    parts = [parse(value) for value in values]
    return lambda record: all(part(record) for part in parts)


def _or(values: list[Any]) -> Match:
    parts = [parse(value) for value in values]
    return lambda record: not parts or any(part(record) for part in parts)


def _not(values: list[Any]) -> Match:
    inner = _and(values)
    return lambda record: not inner(record)


OPERATORS: dict[str, Callable[[list[Any]], Match]] = {
    "userid": _userid,
    "name": _texts("name"),
    "queue": _texts("queue"),
    "states": _states,
    "results": _results,
    "hostlist": _hostlist,
    "ranks": _ranks,
    "and": _and,
    "or": _or,
    "not": _not,
}
