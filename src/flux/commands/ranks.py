"""Ranks and hosts as people write them, for commands that have a TARGET."""

from errno import EINVAL
from typing import Any

from flux.base.hostlist import Hostlist
from flux.base.idset import IDset
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
    """Reads one rank, or a host with one broker or more (the first)."""
    return ranks(handle, text)[0]


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
