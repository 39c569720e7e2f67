"""`flux resource`: shows what there is for jobs, and takes nodes out of service."""

import json
from argparse import Namespace
from collections.abc import Callable
from typing import Any

from flux.commands.parser import Parser, command_parser, subcommand
from flux.core.handle import Flux

EXAMPLES = """\
  flux resource list                     what is free, allocated, down
  flux resource status                   which nodes are there, drained, excluded
  flux resource drain node[3-5] bad fan  no new jobs there
  flux resource undrain node[3-5]        they are back
  flux resource info                     how many nodes, cores and GPUs there are
"""


def parser() -> Parser:
    """The options of `flux resource`."""
    made = command_parser("resource", "Show what there is for jobs, and take nodes out of service.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = _add(commands, "list", "Show what is free, allocated, down", "  flux resource list -s up -o rlist", _list)
    _listing(listing, "STATE,...: up, down, allocated, free, all")
    listing.add_argument("-q", "--queue", metavar="NAME", help="only the nodes of a queue")
    status = _add(commands, "status", "Show which nodes are there", "  flux resource status -s drain", _status)
    _listing(status, "STATE,...: avail, exclude, drain, drained, draining, offline, online, allocated, torpid, all")
    status.add_argument("--skip-empty", action="store_true", help="leave out what no node is in")
    counts = "  flux resource info\n  flux resource info -s free"
    info = _add(commands, "info", "Count nodes, cores and GPUs", counts, _info)
    info.add_argument("-s", "--states", default="all", metavar="STATE", help="only those (all)")
    info.add_argument("-i", "--include", metavar="TARGETS", help="only these nodes: hosts or ranks")
    drain = _add(commands, "drain", "Take nodes out of service", "  flux resource drain node3 bad fan", _drain)
    drain.add_argument("-n", "--no-header", action="store_true", help="without the line of headings")
    drain.add_argument("-o", "--format", metavar="FORMAT", help="a format, or the name of one (help lists them)")
    drain.add_argument("-f", "--force", action="store_true", help="other reasons, too; twice: with a new time")
    drain.add_argument("-u", "--update", action="store_true", help="leave out those that are drained already")
    drain.add_argument("targets", nargs="?", metavar="TARGETS", help="hosts or ranks (without: list what is drained)")
    drain.add_argument("reason", nargs="*", metavar="REASON", help="why")
    undrain = _add(commands, "undrain", "Put nodes back into service", "  flux resource undrain node3", _undrain)
    undrain.add_argument("-f", "--force", action="store_true", help="some may not be drained at all")
    undrain.add_argument("targets", metavar="TARGETS", help="hosts or ranks")
    undrain.add_argument("reason", nargs="*", metavar="REASON", help="why")
    whole = _add(commands, "R", "Print a resource set (RFC 20)", "  flux resource R -s free", _whole)
    whole.add_argument("-s", "--states", default="all", metavar="STATE,...", help="up, down, allocated, free, all")
    whole.add_argument("-i", "--include", metavar="TARGETS", help="only these nodes: hosts or ranks")
    reload = _add(commands, "reload", "Take other resources from a file", "  flux resource reload R.json", _reload)
    reload.add_argument("-f", "--force", action="store_true", help="even if there are more ranks than brokers")
    reload.add_argument("path", metavar="FILE", help="R as JSON")
    _add(commands, "eventlog", "Show what has happened to resources", "  flux resource eventlog", _eventlog)
    return made


def _add(commands: Any, name: str, text: str, examples: str, do: Callable[[Flux, Namespace], int | None]) -> Parser:
    made = subcommand(commands, name, text, examples)
    made.set_defaults(do=do)
    return made


def _listing(made: Parser, states: str) -> None:
    made.add_argument("-n", "--no-header", action="store_true", help="without the line of headings")
    made.add_argument("-o", "--format", metavar="FORMAT", help="a format, or the name of one (help lists them)")
    made.add_argument("-s", "--states", metavar="STATE,...", help=states)
    made.add_argument("-i", "--include", metavar="TARGETS", help="only these nodes: hosts or ranks")


def main(argv: list[str]) -> int:
    """Runs `flux resource`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        return args.do(handle, args) or 0


def _list(handle: Flux, args: Namespace) -> int:
    from flux.commands.resourceview import show_list

    return show_list(handle, args)


def _status(handle: Flux, args: Namespace) -> int:
    from flux.commands.resourceview import show_status

    return show_status(handle, args)


def _info(handle: Flux, args: Namespace) -> int:
    from flux.commands.resourceview import show_info

    return show_info(handle, args)


def _whole(handle: Flux, args: Namespace) -> None:
    from flux.commands.resourceview import Sets

    print(json.dumps(Sets(handle, args.include).of(args.states.split(",")).encode()))


def _drain(handle: Flux, args: Namespace) -> int:
    if args.targets is None:
        from flux.commands.resourceview import show_drained

        return show_drained(handle, args)
    asked = {"targets": args.targets}
    if args.reason:
        asked["reason"] = " ".join(args.reason)
    if args.force or args.update:
        asked["mode"] = "overwrite" if args.force else "update"
    handle.rpc("resource.drain", asked, nodeid=0).get()
    return 0


def _undrain(handle: Flux, args: Namespace) -> None:
    asked = {"targets": args.targets}
    if args.reason:
        asked["reason"] = " ".join(args.reason)
    if args.force:
        asked["mode"] = "update"
    handle.rpc("resource.undrain", asked, nodeid=0).get()


def _reload(handle: Flux, args: Namespace) -> None:
    import os

    payload = {"path": os.path.abspath(args.path), "xml": False, "force": args.force}
    handle.rpc("resource.reload", payload, nodeid=0).get()


def _eventlog(handle: Flux, args: Namespace) -> None:
    from flux.eventlog import EventLogEvent, EventLogFormatter

    form = EventLogFormatter(format="text", timestamp_format="raw")
    with handle.stream("resource.journal", nodeid=0) as answers:
        for told in answers:
            if not told["events"]:
                return
            for event in told["events"]:
                print(form.format(EventLogEvent(event)))
