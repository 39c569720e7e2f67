"""`flux comms`: one broker's place among the others, and how to change it (2016's command of that name)."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from errno import EINVAL
from typing import Any

from flux.commands import ranks
from flux.commands.parser import Parser, command_parser, subcommand
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
    _rank(made, None)
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    for name, about, run in (
        ("info", "Show rank, size and shape.", info),
        ("idle", "Show how long each neighbour has said nothing.", idle),
        ("failover", "Go to the broker above the parent.", failover),
        ("recover", "Go back to the first parent.", recover),
        ("recover-all", "Let all go back to their first parents.", recover_all),
    ):
        made_one = subcommand(commands, name, about, f"  flux comms {name}")
        _rank(made_one)
        made_one.set_defaults(run=run)
    move = subcommand(commands, "reparent", "Become a child of another broker.", "  flux comms -r 3 reparent 0")
    _rank(move)
    move.add_argument("parent", metavar="URI", help="its rank, or where it listens (its tbon.endpoint)")
    move.set_defaults(run=reparent)
    end = subcommand(commands, "panic", "End the broker at once.", "  flux comms -r 3 panic 'enough of it'")
    _rank(end)
    end.add_argument("reason", metavar="REASON", nargs="*", default=[])
    end.set_defaults(run=panic)
    return made


def _rank(made: ArgumentParser, default: str | None = SUPPRESS) -> None:
    """Which broker: may be said before the command and behind it."""
    about = "the broker (the one that is asked, unless told otherwise)"
    made.add_argument("-r", "--rank", metavar="RANK", default=default, help=about)


def main(argv: list[str]) -> int:
    """Runs `flux comms`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        args.nodeid = int(handle.attr_get("rank")) if args.rank is None else ranks.rank(handle, args.rank)
        args.run(handle, args)
    return 0


def info(handle: Flux, args: Namespace) -> None:
    """Runs `flux comms info`."""
    rank, size, shape = (
        _ask(handle, args, "attr.get", {"name": name})["value"] for name in ("rank", "size", "tbon.topo")
    )
    print(f"rank={rank}\nsize={size}\narity={shape.rpartition(':')[2]}")


def idle(handle: Flux, args: Namespace) -> None:
    """Runs `flux comms idle`."""
    from json import dumps

    peers = _ask(handle, args, "live.peers")
    print(dumps({rank: peer | {"idle": round(peer["idle"], 3)} for rank, peer in peers.items()}, indent=2))


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
    _ask(handle, args, "broker.panic", {"reason": " ".join(args.reason) or "no reason given"})


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
    return ranks.ask(handle, args.nodeid, topic, payload)
