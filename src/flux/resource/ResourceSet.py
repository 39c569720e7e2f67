"""Resource sets (RFC 20, R version 1) that can be changed, under the names that flux-core's Python package has."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self, Union

from flux.base import constraint
from flux.base.hostlist import Hostlist
from flux.base.idset import Ids, IDset
from flux.base.rset import ResourceSet as Value

Other = Union["ResourceSet", str, Mapping[str, Any], None]


class ResourceSet:
    """Cores and GPUs of ranks, the ranks' hosts and properties. `a | b`, `a & b`, `a - b` make another."""

    version = 1

    def __init__(self, arg: Other = None, version: int = 1, keep_scheduling: bool = False) -> None:
        """Takes R as a dict or as JSON; nothing is the empty set. `keep_scheduling` keeps what a scheduler wrote in it.

        ValueError for what is no R of version 1, KeyError for one without a version, TypeError for anything else.
        """
        self.state: str | None = None
        """What is said of it: "up", "free", ..."""
        self._set = Value()
        if isinstance(arg, ResourceSet):
            self._set, self.state = arg._set, arg.state
            return
        if isinstance(arg, str):
            arg = json.loads(arg)
        if isinstance(arg, Mapping):
            version = arg["version"]
        elif arg is not None:
            raise TypeError(f"ResourceSet cannot be instantiated from {type(arg)}")
        if version != 1:
            raise ValueError(f"R version {version} not supported")
        if arg is not None:
            self._set = Value.parse(arg if keep_scheduling else {**arg, "scheduling": None})

    # -- what there is ----------------------------------------------------------------------------------------------

    def count(self, name: str) -> int:
        """How many it has of "core", "gpu" or "node"."""
        return self._set.count(name) if name in ("core", "gpu", "node") else 0

    @property
    def nnodes(self) -> int:
        """How many nodes."""
        return len(self._set)

    @property
    def ncores(self) -> int:
        """How many cores."""
        return self._set.count("core")

    @property
    def ngpus(self) -> int:
        """How many GPUs."""
        return self._set.count("gpu")

    @property
    def ranks(self) -> IDset:
        """The ranks."""
        return self._set.ids

    @property
    def nodelist(self) -> Hostlist:
        """The hosts, in the order of the ranks."""
        return Hostlist(self._host(rank) for rank in self._set.ranks)

    def host_ranks(self, hosts: str | Hostlist, ignore_nomatch: bool = False) -> list[int]:
        """The rank of each of some hosts. FileNotFoundError names those that are not in it, unless to be ignored."""
        ranks = list(self._set.ranks)
        return [ranks[at] for at in self.nodelist.index(hosts, ignore_nomatch)]

    @property
    def properties(self) -> str:
        """The names of its properties, with commas between."""
        return ",".join(self._set.properties)

    def get_properties(self) -> str:
        """Its properties as JSON: the ranks that have each, by name (RFC 20)."""
        return json.dumps({name: IDset(ranks).encode() for name, ranks in self._set.properties.items()})

    @property
    def expiration(self) -> float:
        """Until when it is there: seconds since 1970; 0 is not set."""
        return self._set.expiration

    @expiration.setter
    def expiration(self, expiration: float) -> None:
        self._set = replace(self._set, expiration=float(expiration))

    @property
    def starttime(self) -> float:
        """Since when it is there: seconds since 1970; 0 is not set."""
        return self._set.starttime

    @starttime.setter
    def starttime(self, starttime: float) -> None:
        self._set = replace(self._set, starttime=float(starttime))

    # -- as text ----------------------------------------------------------------------------------------------------

    def dumps(self) -> str:
        """For people: "rank[0-1]/core[0-3],gpu0"."""
        return str(self._set)

    @property
    def rlist(self) -> str:
        """The same."""
        return self.dumps()

    def to_dict(self) -> dict[str, Any]:
        """R as a dict (RFC 20)."""
        return self._set.encode()

    def encode(self) -> str:
        """R as JSON (RFC 20)."""
        return json.dumps(self.to_dict())

    def __str__(self) -> str:
        return self.dumps()

    def __repr__(self) -> str:
        return f"ResourceSet({self.dumps()!r})"

    # -- other sets -------------------------------------------------------------------------------------------------

    def copy(self) -> "ResourceSet":
        """Another of the same."""
        return self._made(self._set)

    def copy_ranks(self, ranks: Ids) -> "ResourceSet":
        """What it has of some ranks."""
        return self._made(self._set.restricted(IDset(ranks)))

    def copy_constraint(self, constraint: str | Mapping[str, Any]) -> "ResourceSet":
        """What it has of ranks that match a constraint (RFC 31), a dict or JSON. ValueError for what is none."""
        obj = json.loads(constraint) if isinstance(constraint, str) else dict(constraint)
        return self._made(self._set.restricted(_matching(obj, self._set)), "")

    def union(self, *args: Other) -> "ResourceSet":
        """What is in any of them."""
        found = self._set
        for other in args:
            found = found.union(ResourceSet(other)._set)
        return self._made(found)

    def diff(self, *args: Other) -> "ResourceSet":
        """What is in none of the others."""
        found = self._set
        for other in args:
            found = found.difference(ResourceSet(other)._set)
        return self._made(found)

    def intersect(self, *args: Other) -> "ResourceSet":
        """What it has of ranks that the others have, too."""
        found = self._set
        for other in args:
            found = found.restricted(ResourceSet(other)._set.ranks)
        return self._made(found)

    __or__, __sub__, __and__ = union, diff, intersect

    # -- changes ----------------------------------------------------------------------------------------------------

    def append(self, *args: Other) -> Self:
        """Puts others in, with their properties. Returns the set."""
        self._set = self.union(*args)._set
        return self

    def add(self, *args: Other) -> Self:
        """Puts in what is in the others; of ranks that it has already not their properties. Returns the set."""
        for other in args:
            new = ResourceSet(other)._set
            having = {name: ranks - self._set.ranks.keys() for name, ranks in new.properties.items()}
            new = replace(new, properties={name: ranks for name, ranks in having.items() if ranks})
            self._set = self._set.union(new)
        return self

    def remove_ranks(self, ranks: Ids) -> Self:
        """Takes some ranks out. Returns the set."""
        self._set = self._set.restricted(self._set.ids.difference(IDset(ranks)))
        return self

    def set_property(self, name: str, ranks: Ids | None = None) -> Self:
        """Gives some ranks, or all, a property. Returns the set. ValueError for a bad name, or missing ranks."""
        if not name or set(name) & constraint.FORBIDDEN:
            raise ValueError(f"invalid property name {name!r}")
        wanted = self._set.ids if ranks is None else IDset(ranks)
        missing = wanted.difference(self._set.ids)
        if missing:
            raise ValueError(f"ranks {missing} not in resource set")
        having = self._set.properties.get(name, frozenset()) | frozenset(wanted)
        self._set = replace(self._set, properties={**self._set.properties, name: having})
        return self

    # -- inside -----------------------------------------------------------------------------------------------------

    def _made(self, value: Value, state: str | None = None) -> "ResourceSet":
        made = ResourceSet()
        made._set, made.state = value, self.state if state is None else None
        return made

    def _host(self, rank: int) -> str:
        return self._set.hosts.get(rank, f"rank{rank}")


def _matching(obj: Any, value: Value) -> frozenset[int]:
    obj = {operator: [value] if isinstance(value, str) else value for operator, value in obj.items()}
    nodes = constraint.Nodes(frozenset(value.ranks), value.hosts, value.properties)
    return constraint.parse(obj)(nodes)
