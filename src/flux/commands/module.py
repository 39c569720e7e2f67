"""`flux module`: which modules a broker has, and which it should have."""

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOENT
from typing import Any

from flux.commands import moduleview
from flux.commands.complaint import about, reason
from flux.commands.parser import Parser, command_parser, flags, subcommand
from flux.core.handle import Flux
from flux.runtime.directory import absolute

EXAMPLES = """\
  flux module list                      what is loaded into this broker
  flux module load barrier
  flux module load ./mine.py a=1        from a file, with an argument
  flux module stats kvs
  flux exec -r all flux module load ./mine.py
"""
LIST_EXAMPLES = """\
  flux module list
  flux module list --long      with where they are from
"""
LOAD_EXAMPLES = """\
  flux module load kvs
  flux module load ./mine.py a=1
"""
REMOVE_EXAMPLES = """\
  flux module remove kvs
  flux module remove --force kvs
"""
STATS_EXAMPLES = """\
  flux module stats kvs
  flux module stats --parse rx.request kvs
  flux module stats --rusage broker
"""
DEBUG_EXAMPLES = """\
  flux module debug kvs                 show them
  flux module debug --setbit 0x2 kvs
"""
WHO = ("self", "children", "thread")
RUSAGE_HELP = "what the broker's process has used instead: self, children or thread"


def parser() -> Parser:
    """The options of `flux module`."""
    made = command_parser("module", "List, load, remove and look into the modules of the broker.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _list(commands)
    _load(commands)
    _remove(commands)
    _stats(commands)
    _debug(commands)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux module`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        args.do(handle, args)
    return 0


def _list(commands: Any) -> None:
    made = subcommand(commands, "list", "list the modules", LIST_EXAMPLES)
    made.add_argument("-l", "--long", action="store_true", help="show where modules are from")
    made.add_argument("--json", action="store_true", help="as a JSON array")
    made.set_defaults(do=show_list)


def _load(commands: Any) -> None:
    for name, do in (("load", load), ("reload", reload)):
        made = subcommand(commands, name, f"{name} a module", LOAD_EXAMPLES.replace("load", name))
        made.add_argument("--name", help="call the module by another name")
        made.add_argument("module", metavar="MODULE", help="a name, or the path of a Python file")
        made.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="what the module is told")
        made.set_defaults(do=do)
    made.add_argument("-f", "--force", action="store_true", help="load it even if it is not loaded yet")


def _remove(commands: Any) -> None:
    made = subcommand(commands, "remove", "remove a module", REMOVE_EXAMPLES)
    made.add_argument("-f", "--force", action="store_true", help="no error if it is not there")
    made.add_argument("module", metavar="MODULE", help="a name, or the path it was loaded from")
    made.set_defaults(do=remove)


def _stats(commands: Any) -> None:
    made = subcommand(commands, "stats", "show what a module counts", STATS_EXAMPLES)
    made.add_argument("-p", "--parse", metavar="NAME", help="only what is at this name, with periods for members")
    made.add_argument("-s", "--scale", type=float, default=1.0, metavar="N", help="multiply a number by N")
    made.add_argument("-t", "--type", choices=("int", "double"), help="show a number as an int or a double")
    made.add_argument("-R", "--rusage", nargs="?", const="self", choices=WHO, metavar="WHO", help=RUSAGE_HELP)
    made.add_argument("-c", "--clear", action="store_true", help="set the counters to 0")
    made.add_argument("-C", "--clear-all", action="store_true", help="set the counters to 0 on all ranks")
    made.add_argument("module", metavar="MODULE", help="a module or another service")
    made.set_defaults(do=stats)


def _debug(commands: Any) -> None:
    made = subcommand(commands, "debug", "show or change a module's debug flags", DEBUG_EXAMPLES)
    change = made.add_mutually_exclusive_group()
    change.add_argument("-C", "--clear", action="store_const", const=0, dest="clr", help="clear all")
    change.add_argument("-S", "--set", type=flags, metavar="MASK", help="set them to MASK")
    change.add_argument("-s", "--setbit", type=flags, metavar="MASK", help="set the bits of MASK")
    change.add_argument("-c", "--clearbit", type=flags, dest="clrbit", metavar="MASK", help="clear the bits of MASK")
    made.add_argument("module", metavar="MODULE", help="the module")
    made.set_defaults(do=debug)


# -- what they do ---------------------------------------------------------------------------------------------------


def show_list(handle: Flux, args: Namespace) -> None:
    """Runs `flux module list`."""
    modules = handle.rpc("module.list").get()["mods"]
    print(moduleview.as_json(modules) if args.json else moduleview.table(modules, args.long))


def load(handle: Flux, args: Namespace) -> None:
    """Runs `flux module load`."""
    payload = {"path": full_path(args.module), "args": args.arguments}
    with doing("load", args.module, payload["path"]):
        handle.rpc("module.load", payload | {"name": args.name} if args.name else payload).get()


def reload(handle: Flux, args: Namespace) -> None:
    """Runs `flux module reload`."""
    remove(handle, Namespace(module=args.name or args.module, force=args.force))
    load(handle, args)


def remove(handle: Flux, args: Namespace) -> None:
    """Runs `flux module remove`."""
    path = full_path(args.module)
    try:
        with doing("remove", args.module, path):
            handle.rpc("module.remove", {"name": path}).get()
    except OSError as error:
        if error.errno != ENOENT or not args.force:
            raise


def stats(handle: Flux, args: Namespace) -> None:
    """Runs `flux module stats`."""
    if args.clear_all:
        handle.event_send(f"{args.module}.stats-clear")
    elif args.clear:
        with about(args.module):
            handle.rpc(f"{args.module}.stats-clear").get()
    else:
        topic, payload = ("rusage", {"who": args.rusage}) if args.rusage else ("stats-get", None)
        with about(args.module):
            found = moduleview.member(handle.rpc(f"{args.module}.{topic}", payload).get(), args.parse)
        print(moduleview.value(found, args.type, args.scale))


def debug(handle: Flux, args: Namespace) -> None:
    """Runs `flux module debug`."""
    asked = ((op, getattr(args, op)) for op in ("clr", "set", "setbit", "clrbit"))
    op, bits = next(((op, mask) for op, mask in asked if mask is not None), ("setbit", 0))
    with about(args.module):
        answer = handle.rpc(f"{args.module}.debug", {"op": op, "flags": bits}).get()
    print(f"{answer['flags']:#x}")


@contextmanager
def doing(verb: str, module: str, path: str) -> Iterator[None]:
    """Says what was to be done with which module, as it was named here; the broker knows it by its path."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, f"{verb} {module}: {reason(error).removeprefix(f'{path}: ')}") from None


def full_path(module: str) -> str:
    """A path as a broker in another directory understands it; a name stays a name."""
    if "/" not in module and not module.endswith((".py", ".so")):
        return module
    path = os.path.realpath(absolute(module))
    if not os.path.exists(path):
        raise OSError(ENOENT, f"{module}: No such file or directory")
    return path
