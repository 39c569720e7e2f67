"""Which ranks are drained, why, and since when: a fold of the events drain and undrain (RFC 44). Pure."""

from collections.abc import Iterable, Iterator, Mapping
from errno import EEXIST, EINVAL
from typing import Any, NamedTuple

from flux.base.hostlist import Hostlist
from flux.base.idset import IDset

UPDATE, OVERWRITE, FORCE = 1, 2, 3
MODES = {None: 0, "": 0, "update": UPDATE, "overwrite": OVERWRITE, "force-overwrite": FORCE}


class Drained(NamedTuple):
    """Since when, and why."""

    timestamp: float
    reason: str | None


class Drains:
    """The ranks that take no new jobs."""

    def __init__(self) -> None:
        self._by_rank: dict[int, Drained] = {}

    def __contains__(self, rank: int) -> bool:
        return rank in self._by_rank

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._by_rank))

    def to_drain(self, ranks: IDset, reason: str | None, mode: str | None) -> IDset:
        """The ranks that a request changes. OSError says why it is refused."""
        if mode not in MODES:
            raise OSError(EINVAL, f"invalid drain mode {mode}: expected update, overwrite or force-overwrite")
        how = MODES[mode]
        if how in (OVERWRITE, FORCE) or not self._by_rank:
            return ranks
        already = IDset([rank for rank in ranks if rank in self._by_rank])
        if how == UPDATE:
            known = IDset([rank for rank in already if self._by_rank[rank].reason])
            return ranks.difference(known if reason else already)
        refused = IDset([rank for rank in already if self._by_rank[rank].reason != reason or not reason])
        if refused:
            many = "s" if refused.count() > 1 else ""
            raise OSError(EEXIST, f"rank{many} {refused} already drained")
        return ranks.difference(already)

    def to_undrain(self, ranks: IDset, mode: str | None) -> IDset:
        """The ranks that are drained, of those that somebody wants undrained. EINVAL if one is not."""
        others = IDset([rank for rank in ranks if rank not in self._by_rank])
        if others and mode not in ("update", "overwrite", "force-overwrite"):
            many = "s" if others.count() > 1 else ""
            raise OSError(EINVAL, f"rank{many} {others} not drained")
        return ranks.difference(others)

    def apply(self, name: str, context: Mapping[str, Any], timestamp: float) -> None:
        """Takes an event."""
        for rank in IDset(context["idset"]):
            if name == "undrain":
                self._by_rank.pop(rank, None)
                continue
            before = self._by_rank.get(rank)
            keeps = before is not None and context.get("overwrite", 0) != 2
            since = before.timestamp if before is not None and keeps else timestamp
            self._by_rank[rank] = Drained(since, context.get("reason"))

    def described(self) -> dict[str, dict[str, Any]]:
        """As resource.status has it: ranks that are drained since the same time for the same reason, together."""
        alike: dict[Drained, list[int]] = {}
        for rank, drained in sorted(self._by_rank.items()):
            alike.setdefault(drained, []).append(rank)
        return {
            IDset(ranks).encode(): {"timestamp": drained.timestamp, "reason": drained.reason or ""}
            for drained, ranks in alike.items()
        }


def context(ranks: IDset, hosts: Mapping[int, str], more: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The context of an event about some ranks."""
    nodelist = Hostlist(hosts[rank] for rank in ranks if rank in hosts).encode()
    return {"idset": ranks.encode(), "nodelist": nodelist} | {key: value for key, value in more if value is not None}
