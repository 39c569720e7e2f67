"""Ranks and hosts as people write them, for commands that have a TARGET."""

from errno import EINVAL, ENOSYS
from typing import Any

from flux.base.hostlist import Hostlist
from flux.base.idset import IDset
from flux.commands.complaint import about
from flux.core.handle import Flux


def hosts(handle: Flux) -> Hostlist:
    """The hosts of all ranks, in order."""
    return Hostlist(handle.attr_get("hostlist"))


def ranks(handle: Flux, text: str) -> list[int]:
    """Reads an idset of ranks ("all" for every one), or hosts. OSError(EINVAL) names what is neither."""
    size = int(handle.attr_get("size"))
    if text == "all":
        return list(range(size))
    try:
        found = list(IDset(text))
    except (ValueError, OSError):
        found = _by_host(handle, text)
    if not found:
        raise OSError(EINVAL, f"'{text}': no ranks")
    if found[-1] >= size:
        raise OSError(EINVAL, f"rank {found[-1]} is not in this instance (its ranks are 0 to {size - 1})")
    return found


def rank(handle: Flux, text: str) -> int:
    """Reads one rank, or a host with one broker or more (the first). OSError(EINVAL) for several ranks."""
    found = ranks(handle, text)
    if len(found) > 1 and (text == "all" or text[:1] in "[0123456789"):
        raise OSError(EINVAL, f"'{text}': one rank is wanted")
    return found[0]


def ask(handle: Flux, rank: int, topic: str, payload: dict[str, Any] | None = None) -> Any:
    """What a service on a rank answers; a refusal names the rank."""
    with about(f"rank {rank}"):
        return handle.rpc(topic, payload or {}, nodeid=rank).get()


def missing(handle: Flux) -> set[int]:
    """The ranks that cannot be reached, by rank 0's word; one that has no such word tells who has joined and runs."""
    try:
        return {row[0] for row in ask(handle, 0, "overlay.absent")["absent"]}
    except OSError as error:
        if error.errno != ENOSYS:
            raise
    online = IDset(ask(handle, 0, "groups.get", {"name": "broker.online"})["members"])
    return set(range(int(handle.attr_get("size")))) - set(online)


def parent(handle: Flux, rank: int) -> int:
    """The rank above another one, as the tree is now. OSError(EINVAL) for who has none."""
    above = _parents(handle.rpc("overlay.topology", {"rank": 0}, nodeid=0).get())
    if rank not in above:
        raise OSError(EINVAL, f"rank {rank} has no parent")
    return above[rank]


def _parents(tree: dict[str, Any]) -> dict[int, int]:
    """Who is below whom."""
    above: dict[int, int] = {}
    for child in tree["children"]:
        above[child["rank"]] = tree["rank"]
        above |= _parents(child)
    return above


def _by_host(handle: Flux, text: str) -> list[int]:
    known = list(hosts(handle))
    try:
        wanted = list(Hostlist(text))
    except (ValueError, OSError):
        wanted = [text]
    for host in wanted:
        if host not in known:
            raise OSError(EINVAL, f"'{host}' is neither a rank nor a host of this instance")
    return [number for number, host in enumerate(known) if host in wanted]
