"""What `flux up` and `flux down` have in common: who is there, who is slow, who is missing."""

from argparse import Namespace
from errno import ENOSYS
from typing import Any

from flux.base.hostlist import Hostlist
from flux.base.idset import IDset
from flux.commands import ranks
from flux.core.handle import Flux


def look(handle: Flux) -> dict[str, Any]:
    """The ranks that are up, slow (they are up as well) and down, as idsets."""
    everybody = IDset(range(int(handle.attr_get("size"))))
    down = _absent(handle, everybody)
    return {"up": str(everybody.difference(down)), "slow": str(_group(handle, "broker.torpid")), "down": str(down)}


def _absent(handle: Flux, everybody: IDset) -> IDset:
    """Who is missing: rank 0 knows at once, and a broker that has no such service tells who has joined and runs."""
    try:
        return IDset([row[0] for row in handle.rpc("overlay.absent", {}, nodeid=0).get()["absent"]])
    except OSError as error:
        if error.errno != ENOSYS:
            raise
    return everybody.difference(_group(handle, "broker.online"))


def _group(handle: Flux, name: str) -> IDset:
    return IDset(handle.rpc("groups.get", {"name": name}, nodeid=0).get()["members"])


def show(args: Namespace, *, missing: bool) -> int:
    """Prints who is there, or who is missing; returns 1 if that is nobody."""
    with Flux() as handle:
        found = look(handle)
        chosen = IDset(found["down" if missing else "up"])
        if args.json:
            from json import dumps

            print(dumps(found))
        elif args.count:
            print(chosen.count())
        elif args.hosts:
            names = list(ranks.hosts(handle))
            print(Hostlist(list(dict.fromkeys(names[rank] for rank in chosen))))
        elif chosen:
            print(chosen)
    return 0 if chosen else 1
