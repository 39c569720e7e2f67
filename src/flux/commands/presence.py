"""What `flux up` and `flux down` have in common: who is there, who is slow, who is missing."""

from argparse import Namespace
from typing import Any

from flux.base.hostlist import Hostlist
from flux.base.idset import IDset
from flux.commands import ranks
from flux.core.handle import Flux


def look(handle: Flux) -> dict[str, Any]:
    """The ranks that are up, slow (they are up as well) and down, as idsets."""
    size = int(handle.attr_get("size"))
    down = ranks.missing(handle)
    torpid = handle.rpc("groups.get", {"name": "broker.torpid"}, nodeid=0).get()["members"]
    return {"up": str(IDset(set(range(size)) - down)), "slow": torpid, "down": str(IDset(down))}


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
        elif chosen and args.hosts:
            names = list(ranks.hosts(handle))
            print(Hostlist(list(dict.fromkeys(names[rank] for rank in chosen))))
        elif chosen:
            print(chosen)
    return 0 if chosen else 1
