"""Resource sets (RFC 20, R version 1): which cores and GPUs of which ranks, their hosts and properties. Pure values."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flux.base import mask
from flux.base.hostlist import Hostlist
from flux.base.idset import IDset
from flux.base.invalid import Invalid


class Share(NamedTuple):
    """What a set has of one rank: cores and GPUs as bits, memory in MiB (ours; 0 is not known)."""

    cores: int = 0
    gpus: int = 0
    memory: int = 0


NOTHING = Share()


@dataclass(frozen=True, slots=True)
class ResourceSet:
    """Immutable: what changes one gives another."""

    ranks: Mapping[int, Share] = field(default_factory=dict)
    """In ascending order."""
    hosts: Mapping[int, str] = field(default_factory=dict)
    properties: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """The ranks that have each."""
    starttime: float = 0.0
    expiration: float = 0.0
    """Seconds since 1970; 0 is not set."""
    nslots: int = 0
    scheduling: Any = None
    """What a scheduler wrote, unread."""

    # -- what there is ----------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.ranks)

    def __bool__(self) -> bool:
        return bool(self.ranks)

    @property
    def ids(self) -> IDset:
        """The ranks."""
        return IDset(self.ranks)

    @property
    def nodelist(self) -> str:
        """The hosts, in the order of the ranks (RFC 29)."""
        return Hostlist(self.hosts[rank] for rank in self.ranks if rank in self.hosts).encode()

    def count(self, kind: str) -> int:
        """How many there are of "node", "core", "gpu" or "memory" (MiB)."""
        if kind == "node":
            return len(self.ranks)
        shares = self.ranks.values()
        if kind == "memory":
            return sum(share.memory for share in shares)
        return sum((share.cores if kind == "core" else share.gpus).bit_count() for share in shares)

    def __str__(self) -> str:
        """As today's log has it: "rank[0-1]/core[0-3],gpu0"."""
        return " ".join(f"rank{_bracketed(ids.encode())}/{_children(share)}" for share, ids in self._alike())

    # -- other sets -------------------------------------------------------------------------------------------------

    def restricted(self, ranks: Iterable[int]) -> "ResourceSet":
        """What it has of some ranks only."""
        wanted = set(ranks)
        return self._with({rank: share for rank, share in self.ranks.items() if rank in wanted})

    def union(self, other: "ResourceSet") -> "ResourceSet":
        """What is in either."""
        ranks = dict(self.ranks)
        for rank, share in other.ranks.items():
            mine = ranks.get(rank, NOTHING)
            memory = max(mine.memory, share.memory)
            ranks[rank] = Share(mine.cores | share.cores, mine.gpus | share.gpus, memory)
        hosts = {**self.hosts, **other.hosts}
        names = self.properties.keys() | other.properties.keys()
        none = frozenset[int]()
        both = {name: self.properties.get(name, none) | other.properties.get(name, none) for name in sorted(names)}
        return ResourceSet(dict(sorted(ranks.items())), hosts, both, self.starttime, self.expiration)

    def difference(self, other: "ResourceSet") -> "ResourceSet":
        """What is not in the other one; ranks of which nothing is left are gone."""
        left: dict[int, Share] = {}
        for rank, share in self.ranks.items():
            taken = other.ranks.get(rank, NOTHING)
            rest = Share(
                share.cores & ~taken.cores, share.gpus & ~taken.gpus, share.memory - min(share.memory, taken.memory)
            )
            if rest.cores or rest.gpus:
                left[rank] = rest
        return self._with(left)

    def covers(self, other: "ResourceSet") -> bool:
        """Whether the other one is a part of it."""
        for rank, share in other.ranks.items():
            mine = self.ranks.get(rank, NOTHING)
            if share.cores & ~mine.cores or share.gpus & ~mine.gpus or share.memory > mine.memory:
                return False
        return True

    def _with(self, ranks: dict[int, Share]) -> "ResourceSet":
        hosts = {rank: self.hosts[rank] for rank in ranks if rank in self.hosts}
        properties = {}
        for name, having in self.properties.items():
            kept = having & ranks.keys()
            if kept:
                properties[name] = kept
        return ResourceSet(ranks, hosts, properties, self.starttime, self.expiration)

    # -- R ----------------------------------------------------------------------------------------------------------

    def encode(self) -> dict[str, Any]:
        """The R object."""
        lite = [{"rank": ids.encode(), "children": _described(share)} for share, ids in self._alike()]
        nodelist = self.nodelist
        execution: dict[str, Any] = {"R_lite": lite, "nodelist": [nodelist] if nodelist else []}
        if self.properties:
            execution["properties"] = {name: IDset(having).encode() for name, having in self.properties.items()}
        if self.nslots:
            execution["nslots"] = self.nslots
        execution |= {"starttime": self.starttime, "expiration": self.expiration}
        return {"version": 1, "execution": execution} | (
            {} if self.scheduling is None else {"scheduling": self.scheduling}
        )

    def _alike(self) -> Iterator[tuple[Share, IDset]]:
        """The ranks of which it has the same, together."""
        found: dict[Share, list[int]] = {}
        for rank, share in self.ranks.items():
            found.setdefault(share, []).append(rank)
        return ((share, IDset(ranks)) for share, ranks in found.items())

    @classmethod
    def parse(cls, obj: Any) -> "ResourceSet":
        """Reads an R object. Raises Invalid."""
        try:
            if obj["version"] != 1:
                raise Invalid(f"version {obj['version']!r:.20}, not 1")
            execution = obj["execution"]
            ranks = _ranks(execution["R_lite"])
            hosts = _hosts(execution.get("nodelist") or [], ranks)
            having = execution.get("properties") or {}
            properties = {str(name): frozenset(IDset(text)) & ranks.keys() for name, text in having.items()}
            start, end = (float(execution.get(key) or 0.0) for key in ("starttime", "expiration"))
            return cls(ranks, hosts, properties, start, end, int(execution.get("nslots") or 0), obj.get("scheduling"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Invalid(f"R: {_what(error)}") from None


def _ranks(lite: Any) -> dict[int, Share]:
    found: dict[int, Share] = {}
    for entry in lite:
        children = entry["children"]
        cores, gpus = (mask.parse(children.get(kind) or "") for kind in ("core", "gpu"))
        share = Share(cores, gpus, int(children.get("memory") or 0))
        for rank in IDset(str(entry["rank"])):
            if rank in found:
                raise Invalid(f"rank {rank} is in it twice")
            found[rank] = share
    return dict(sorted(found.items()))


def _hosts(nodelist: Any, ranks: Mapping[int, Share]) -> dict[int, str]:
    hosts = [host for text in nodelist for host in Hostlist(text)]
    if hosts and len(hosts) != len(ranks):
        raise Invalid(f"{len(hosts)} hosts for {len(ranks)} ranks")
    return dict(zip(ranks, hosts, strict=False))


def _described(share: Share) -> dict[str, Any]:
    described: dict[str, Any] = {"core": mask.text(share.cores)} if share.cores else {}
    if share.gpus:
        described["gpu"] = mask.text(share.gpus)
    if share.memory:
        described["memory"] = share.memory
    return described


def _children(share: Share) -> str:
    kinds = (("core", share.cores), ("gpu", share.gpus))
    return ",".join(f"{kind}{_bracketed(mask.text(bits))}" for kind, bits in kinds if bits)


def _bracketed(text: str) -> str:
    return text if text.isdecimal() else f"[{text}]"


def _what(error: Exception) -> str:
    return f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)
