"""`flux comms`: one broker's place among the others, and how to change it (2016's command of that name)."""

from argparse import Namespace
from errno import EINVAL
from typing import Any

from flux.commands import ranks
from flux.commands.parser import Parser, command_parser, subcommand
from flux.constants import FLUX_NODEID_ANY
from flux.core.handle import Flux

EXAMPLES = """\
  flux comms info                     rank, size and shape
  flux comms -r 3 idle                how long rank 3's neighbours have said nothing
  flux comms -r 3 reparent 0          rank 3 becomes a child of rank 0
  flux comms -r 3 recover             and of its first parent again
"""


def parser() -> Parser:
    """The options of `flux comms`."""
    made = command_parser("comms", "Show and change one broker's place in the tree.", EXAMPLES)
    made.add_argument("-r", "--rank", metavar="RANK", help="the broker (the one that is asked, unless told otherwise)")
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    for name, about, run in (
        ("info", "Show rank, size and shape.", info),
        ("idle", "Show how long each neighbour has said nothing.", idle),
        ("failover", "Go to the broker above the parent.", failover),
        ("recover", "Go back to the first parent.", recover),
        ("recover-all", "Let all go back to their first parents.", recover_all),
    ):
        made_one = subcommand(commands, name, about, f"  flux comms {name}")
        made_one.set_defaults(run=run)
    move = subcommand(commands, "reparent", "Become a child of another broker.", "  flux comms -r 3 reparent 0")
    move.add_argument("parent", metavar="URI", help="its rank, or where it listens (its tbon.endpoint)")
    move.set_defaults(run=reparent)
    end = subcommand(commands, "panic", "End the broker at once.", "  flux comms -r 3 panic 'enough of it'")
    end.add_argument("reason", metavar="REASON", nargs="*")
    end.set_defaults(run=panic)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux comms`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        args.nodeid = FLUX_NODEID_ANY if args.rank is None else ranks.rank(handle, args.rank)
        if args.nodeid == FLUX_NODEID_ANY:
            args.nodeid = int(handle.attr_get("rank"))
        args.run(handle, args)
    return 0


def info(handle: Flux, args: Namespace) -> None:
    """Runs `flux comms info`."""
    if args.rank is not None:
        raise OSError(EINVAL, "info: --rank has no meaning here")
    shape = handle.attr_get("tbon.topo")
    print(f"rank={handle.attr_get('rank')}\nsize={handle.attr_get('size')}\narity={shape.rpartition(':')[2]}")


def idle(handle: Flux, args: Namespace) -> None:
    """Runs `flux comms idle`."""
    from json import dumps

    print(dumps(_ask(handle, args, "live.peers"), indent=2))


def failover(handle: Flux, args: Namespace) -> None:
    """Runs `flux comms failover`."""
    _ask(handle, args, "live.failover")


def recover(handle: Flux, args: Namespace) -> None:
    """Runs `flux comms recover`."""
    _ask(handle, args, "live.recover")


def recover_all(handle: Flux, args: Namespace) -> None:
    """Runs `flux comms recover-all`."""
    handle.event_send("live.recover-all")


def reparent(handle: Flux, args: Namespace) -> None:
    """Runs `flux comms reparent`."""
    parent = _listening_at(handle, args.parent) if "://" in args.parent else ranks.rank(handle, args.parent)
    _ask(handle, args, "overlay.reparent", {"rank": parent})


def panic(handle: Flux, args: Namespace) -> None:
    """Runs `flux comms panic`."""
    handle.rpc("broker.panic", {"reason": " ".join(args.reason) or "no reason given"}, nodeid=args.nodeid).get()


def _listening_at(handle: Flux, uri: str) -> int:
    """The rank that listens at a URI. OSError(EINVAL) if nobody does."""
    for rank in range(int(handle.attr_get("size"))):
        try:
            if handle.rpc("attr.get", {"name": "tbon.endpoint"}, nodeid=rank).get()["value"] == uri:
                return rank
        except OSError:
            continue
    raise OSError(EINVAL, f"{uri}: no broker of this instance listens there")


def _ask(handle: Flux, args: Namespace, topic: str, payload: dict[str, Any] | None = None) -> Any:
    return handle.rpc(topic, payload or {}, nodeid=args.nodeid).get()
