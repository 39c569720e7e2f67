"""`flux overlay`: show how the brokers hang together, who is missing, and rewire them."""

import sys
import time
from argparse import Namespace
from errno import EINVAL
from typing import Any

from flux.base.idset import IDset
from flux.commands import ranks, traceview
from flux.commands.logview import wants_color
from flux.commands.overlayview import Branch, Look, as_json, draw, summary, without_ghosts
from flux.commands.parser import Parser, command_parser, duration, subcommand
from flux.core.handle import Flux

STATES = ("full", "partial", "offline", "degraded", "lost")
KINDS = {"request": 1, "response": 2, "event": 4, "control": 8}

EXAMPLES = """\
  flux overlay status -v                the tree, with how long each part has been as it is
  flux overlay status --wait full       wait until nobody is missing
  flux overlay reshape kary:4           give the running session another shape
"""


def parser() -> Parser:
    """The options of `flux overlay`."""
    made = command_parser("overlay", "Show and change how the brokers of the instance hang together.", EXAMPLES)
    commands = made.add_subparsers(metavar="COMMAND", required=True)
    _status(commands)
    look = subcommand(commands, "lookup", "Show hosts of ranks, or ranks of hosts.", "  flux overlay lookup 0-3")
    look.add_argument("target", metavar="TARGET", help="ranks (RFC 22) or hosts (RFC 29)")
    look.set_defaults(run=lookup)
    above = subcommand(commands, "parentof", "Show the parent of a rank.", "  flux overlay parentof 3")
    above.add_argument("rank", metavar="RANK")
    above.set_defaults(run=parentof)
    cut = subcommand(
        commands, "disconnect", "Make a broker leave, and those below it look elsewhere.", "  flux overlay disconnect 3"
    )
    cut.add_argument("-r", "--parent", metavar="RANK", help="its parent, if that is to be asked in particular")
    cut.add_argument("target", metavar="TARGET", help="a rank or a host")
    cut.set_defaults(run=disconnect)
    wrong = subcommand(commands, "errors", "Show why brokers are missing.", "  flux overlay errors")
    wrong.add_argument("-t", "--timeout", type=duration, default=0.5, metavar="FSD", help="for each answer (0.5s)")
    wrong.set_defaults(run=errors)
    _trace(commands)
    shape = subcommand(
        commands,
        "reshape",
        "Give the running session another shape. What is open over old links is answered first.",
        "  flux overlay reshape kary:2\n  flux overlay reshape binomial",
    )
    shape.add_argument("topology", metavar="TOPO", help="kary:K, binomial, mincrit[:K] (tbon.topo)")
    shape.set_defaults(run=reshape)
    return made


def _status(commands: Any) -> None:
    made = subcommand(commands, "status", "Show the health of the tree.", "  flux overlay status --down -v")
    made.add_argument("-r", "--rank", default="0", metavar="RANK", help="begin with this broker (0)")
    made.add_argument("-v", "--verbose", action="count", default=0, help="show since when; twice: answer times")
    made.add_argument(
        "-t", "--timeout", type=duration, default=0.5, metavar="FSD", help="for an answer (0.5s; 0: none)"
    )
    made.add_argument("--summary", action="store_true", help="only the status of the whole")
    made.add_argument("--down", action="store_true", help="only what is partial, degraded or missing")
    made.add_argument("--no-pretty", action="store_true", help="no lines of a tree")
    made.add_argument("--json", action="store_true", help="the tree as a JSON object")
    made.add_argument("--no-ghost", action="store_true", help="leave out who is missing")
    made.add_argument("-L", "--color", nargs="?", const="always", default="auto", choices=("always", "never", "auto"))
    made.add_argument("-H", "--highlight", metavar="TARGET", help="mark these, and who is above them")
    made.add_argument("-w", "--wait", choices=STATES, metavar="STATE", help=f"wait for it: {', '.join(STATES)}")
    made.set_defaults(run=status)


def _trace(commands: Any) -> None:
    made = subcommand(
        commands,
        "trace",
        "Show the messages that a broker sends to and gets from others.",
        "  flux overlay trace 'kvs.*'",
    )
    made.add_argument("-r", "--rank", metavar="RANK", help="only those to and from this rank")
    made.add_argument("-f", "--full", action="store_true", help="with payloads")
    made.add_argument("-t", "--type", default="", metavar="TYPE,...", help=f"only these: {', '.join(KINDS)}")
    traceview.options(made)
    made.add_argument("topic", metavar="TOPIC", nargs="?", default="*", help="only topics like that (a glob)")
    made.set_defaults(run=trace)


def main(argv: list[str]) -> int:
    """Runs `flux overlay`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        code: int = args.run(handle, args)
    return code


# -- health -----------------------------------------------------------------------------------------------------------


def status(handle: Flux, args: Namespace) -> int:
    """Runs `flux overlay status`."""
    first = ranks.rank(handle, args.rank)
    if args.wait:
        _wait(handle, first, args.wait)
    marked = set(ranks.ranks(handle, args.highlight)) if args.highlight else set()
    look = Look(
        args.verbose,
        not args.no_pretty,
        args.down,
        wants_color(args.color, sys.stdout),
        list(ranks.hosts(handle)),
        marked,
    )
    if args.summary:
        begun = time.monotonic()
        health = _health(handle, first, args.timeout)
        print(summary(health, look, time.monotonic() - begun))
        return 0
    branch = survey(handle, first, args.timeout)
    branch = without_ghosts(branch) if args.no_ghost else branch
    for line in [as_json(branch, look)] if args.json else draw(branch, look):
        print(line)
    return 0


def survey(handle: Flux, rank: int, timeout: float) -> Branch:
    """Asks a broker and all below it how they are. Who does not answer in `timeout` seconds is shown so."""
    begun = time.monotonic()
    try:
        health = _health(handle, rank, timeout)
    except OSError as error:
        return Branch(rank, "lost", -1.0, -1.0, error.strerror or str(error), [])
    children = []
    took = time.monotonic() - begun
    for child in health["children"]:
        if child["status"] in ("lost", "offline"):
            children.append(Branch(child["rank"], child["status"], child["duration"], -1.0, child.get("error", ""), []))
        else:
            children.append(survey(handle, child["rank"], timeout))
    return Branch(rank, health["status"], health["duration"], took, "", children)


def _health(handle: Flux, rank: int, timeout: float) -> dict[str, Any]:
    rpc = handle.rpc("overlay.health", {}, nodeid=rank)
    answer: dict[str, Any] = rpc.wait_for(timeout).get() if timeout > 0 else rpc.get()
    return answer


def _wait(handle: Flux, rank: int, wanted: str) -> None:
    """Returns once the subtree is as wanted; whatever comes or goes in the session is a reason to look again."""
    handle.event_subscribe("live.cstate")
    changes = handle.stream("groups.get", {"name": "broker.online"}, nodeid=0)
    for _ in changes:
        if _health(handle, rank, 0)["status"] == wanted:
            return


def errors(handle: Flux, args: Namespace) -> int:
    """Runs `flux overlay errors`."""
    told: dict[str, IDset] = {}
    for branch in survey(handle, 0, args.timeout).everybody():
        if branch.status in ("lost", "offline"):
            told.setdefault(branch.error or "not here yet", IDset()).set(branch.rank)
    names = list(ranks.hosts(handle))
    for error, who in told.items():
        print(f"{who} ({','.join(dict.fromkeys(names[rank] for rank in who))}): {error}")
    return 0


# -- who is where -----------------------------------------------------------------------------------------------------


def lookup(handle: Flux, args: Namespace) -> int:
    """Runs `flux overlay lookup`."""
    found = ranks.ranks(handle, args.target)
    if args.target[:1].isdecimal():
        from flux.base.hostlist import Hostlist

        names = list(ranks.hosts(handle))
        print(Hostlist([names[rank] for rank in found]))
    else:
        print(IDset(set(found)))
    return 0


def parentof(handle: Flux, args: Namespace) -> int:
    """Runs `flux overlay parentof`."""
    print(ranks.parent(handle, ranks.rank(handle, args.rank)))
    return 0


# -- rewiring ---------------------------------------------------------------------------------------------------------


def disconnect(handle: Flux, args: Namespace) -> int:
    """Runs `flux overlay disconnect`."""
    rank = ranks.rank(handle, args.target)
    parent = ranks.parent(handle, rank) if args.parent is None else ranks.rank(handle, args.parent)
    ranks.ask(handle, parent, "overlay.disconnect-subtree", {"rank": rank})
    return 0


def reshape(handle: Flux, args: Namespace) -> int:
    """Runs `flux overlay reshape`."""
    from flux.commands import overlayshape

    return overlayshape.reshape(handle, args)


# -- messages ---------------------------------------------------------------------------------------------------------


def trace(handle: Flux, args: Namespace) -> int:
    """Runs `flux overlay trace`."""
    if args.delta and not args.human:
        raise OSError(EINVAL, "--delta can only be used with --human")
    mask = 0
    for word in filter(None, args.type.split(",")):
        if word not in KINDS:
            raise OSError(EINVAL, f"--type: '{word}' is not one of {', '.join(KINDS)}")
        mask |= KINDS[word]
    rank = -1 if args.rank is None else ranks.rank(handle, args.rank)
    asked = {"typemask": mask or 0xF, "topic_glob": args.topic, "nodeid": rank, "full": args.full}
    view = traceview.View(args)
    for seen in handle.stream("overlay.trace", asked):
        if not view.show(seen):
            break
    return 0
