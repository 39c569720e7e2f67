"""Constraints on nodes (RFC 31): checked when they are read, then asked which ranks match. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from flux.base.hostlist import Hostlist
from flux.base.idset import IDset
from flux.base.invalid import Invalid


class Nodes(NamedTuple):
    """What there is to choose from."""

    ranks: frozenset[int]
    hosts: Mapping[int, str]
    properties: Mapping[str, frozenset[int]]


Constraint = Callable[[Nodes], frozenset[int]]
"""Which of the nodes match."""
Maker = Callable[[list[Any]], Constraint]
FORBIDDEN = set("!&'\"^`|()")


def parse(obj: Any) -> Constraint:
    """Reads a constraint object. Raises Invalid, which names the operator."""
    if not isinstance(obj, dict):
        raise Invalid("not an object")
    if not obj:
        return lambda nodes: nodes.ranks
    if len(obj) > 1:
        raise Invalid("an object has one operator")
    operator, values = next(iter(obj.items()))
    if operator not in OPERATORS:
        raise Invalid(f"unknown operator '{operator:.40}'")
    if not isinstance(values, list):
        raise Invalid(f"{operator}: not a list")
    return OPERATORS[operator](values)


def _strings(operator: str, values: list[Any]) -> Iterable[str]:
    for value in values:
        if not isinstance(value, str):
            raise Invalid(f"{operator}: {value!r:.40} is not a string")
        yield value


def _properties(values: list[Any]) -> Constraint:
    wanted = []
    for text in _strings("properties", values):
        name = text.removeprefix("^")
        if not name or FORBIDDEN & set(name):
            raise Invalid(f"properties: '{text:.40}' is not a property")
        wanted.append((name, text != name))

    def matching(nodes: Nodes) -> frozenset[int]:
        found = nodes.ranks
        for name, without in wanted:
            having = nodes.properties.get(name, frozenset())
            found = found - having if without else found & having
        return found

    return matching


def _hostlist(values: list[Any]) -> Constraint:
    hosts = set[str]()
    for text in _strings("hostlist", values):
        try:
            hosts |= set(Hostlist(text))
        except ValueError:
            raise Invalid(f"hostlist: '{text:.40}' is not a hostlist") from None
    return lambda nodes: frozenset(rank for rank in nodes.ranks if nodes.hosts.get(rank) in hosts)


def _ranks(values: list[Any]) -> Constraint:
    wanted = IDset()
    for text in _strings("ranks", values):
        try:
            wanted = wanted.union(text)
        except ValueError:
            raise Invalid(f"ranks: '{text:.40}' is not an idset") from None
    return lambda nodes: frozenset(rank for rank in nodes.ranks if rank in wanted)


def _and(values: list[Any]) -> Constraint:
    parts = [parse(value) for value in values]

    def matching(nodes: Nodes) -> frozenset[int]:
        found = nodes.ranks
        for part in parts:
            found &= part(nodes)
        return found

    return matching


def _or(values: list[Any]) -> Constraint:
    parts = [parse(value) for value in values]

    def matching(nodes: Nodes) -> frozenset[int]:
        if not parts:
            return nodes.ranks
        return frozenset[int]().union(*(part(nodes) for part in parts))

    return matching


def _not(values: list[Any]) -> Constraint:
    inner = _and(values)
    return lambda nodes: nodes.ranks - inner(nodes)


OPERATORS: dict[str, Maker] = {
    "properties": _properties,
    "hostlist": _hostlist,
    "ranks": _ranks,
    "and": _and,
    "or": _or,
    "not": _not,
}
