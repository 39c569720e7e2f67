"""`flux module`: which modules brokers have, and which they should have."""

import os
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOENT
from typing import Any

from flux.commands import moduleview, traceview
from flux.commands.complaint import about, reason
from flux.commands.parser import Parser, command_parser, flags, subcommand
from flux.core.handle import Flux
from flux.runtime.directory import absolute

EXAMPLES = """\
  flux module list                      what is loaded into this broker
  flux module list -r all               what is loaded where
  flux module load barrier
  flux module load ./mine.py a=1        from a file, with an argument
  flux module load -r 0-511 ./mine.py   into many brokers, also those of these ranks that join later
  flux module stats kvs
"""
LIST_EXAMPLES = """\
  flux module list
  flux module list --long      with where they are from
  flux module list -r all      one line for modules that are alike, with their ranks
"""
LOAD_EXAMPLES = """\
  flux module load kvs
  flux module load ./mine.py a=1
  flux module load -r all ./mine.py
"""
REMOVE_EXAMPLES = """\
  flux module remove kvs
  flux module remove --force kvs
  flux module remove -r 1-3 ./mine.py
"""
STATS_EXAMPLES = """\
  flux module stats kvs
  flux module stats --parse rx.request kvs
  flux module stats --rusage broker
  flux module stats -r all -p links broker    the messages between brokers
"""
DEBUG_EXAMPLES = """\
  flux module debug kvs                 show them
  flux module debug --setbit 0x2 kvs
"""
TRACE_EXAMPLES = """\
  flux module trace kvs                  what kvs sends and gets
  flux module trace -H -f -T 'kvs.*'     with payloads, whoever sends them
  flux module trace -r all -t event heartbeat
"""
WHO = ("self", "children", "thread")
WHEN = ("always", "never", "auto")
OPTIONAL = {
    "-L": ("--color", WHEN),
    "--color": ("--color", WHEN),
    "-R": ("--rusage", WHO),
    "--rusage": ("--rusage", WHO),
}
"""Options whose value may be left out, and is the first one then."""
TYPES = {"request": 1, "response": 2, "event": 4, "control": 8}
RANK_HELP = "the brokers of these ranks (an idset, or all)"
RUSAGE_HELP = "what the broker's process has used instead: self, children or thread"
EXEC_HELP = "as a process of its own (refused: modules run within the broker)"


def parser() -> Parser:
    """The options of `flux module`."""
    made = command_parser("module", "List, load, remove and look into the modules of brokers.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in (_list, _load, _remove, _stats, _debug, _trace):
        add(commands)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux module`."""
    made = parser()
    args = made.parse_args(list(_explicit(argv)))
    if getattr(args, "delta", False) and not args.human:
        made.error("--delta can only be used with --human")
    if args.rank is not None and getattr(args, "clear_all", False):
        made.error("--clear-all means all ranks, it does not go with --rank")
    with Flux() as handle:
        if args.rank is not None:
            from flux.commands import modulespread

            code: int = getattr(modulespread, args.do.__name__)(handle, args)
            return code
        args.do(handle, args)
    return 0


def _explicit(argv: list[str]) -> Iterator[str]:
    """The words with the values that were left out: argparse would take the module that follows for one."""
    for word, after in zip(argv, [*argv[1:], ""], strict=True):
        option, values = OPTIONAL.get(word, (word, ("",)))
        yield word if word not in OPTIONAL or after in values else f"{option}={values[0]}"


def _list(commands: Any) -> None:
    made = _subcommand(commands, "list", "list the modules", LIST_EXAMPLES, show_list)
    made.add_argument("-l", "--long", action="store_true", help="show where modules are from")
    made.add_argument("--json", action="store_true", help="as a JSON array")


def _load(commands: Any) -> None:
    for name, do in (("load", load), ("reload", reload)):
        made = _subcommand(commands, name, f"{name} a module", LOAD_EXAMPLES.replace("load", name), do)
        made.add_argument("-n", "--name", help="call the module by another name")
        made.add_argument("--exec", action="store_true", help=EXEC_HELP)
        made.add_argument("module", metavar="MODULE", help="a name, or the path of a Python file")
        made.add_argument("arguments", nargs="*", default=[], metavar="ARGUMENT", help="what the module is told")
    made.add_argument("-f", "--force", action="store_true", help="load it even if it is not loaded yet")


def _remove(commands: Any) -> None:
    made = _subcommand(commands, "remove", "remove a module", REMOVE_EXAMPLES, remove)
    made.add_argument("-f", "--force", action="store_true", help="no error if it is not there")
    made.add_argument("module", metavar="MODULE", help="a name, or the path it was loaded from")


def _stats(commands: Any) -> None:
    made = _subcommand(commands, "stats", "show what a module counts", STATS_EXAMPLES, stats)
    made.add_argument("-p", "--parse", metavar="NAME", help="only what is at this name, with periods for members")
    made.add_argument("-s", "--scale", type=_number, default=1.0, metavar="N", help="multiply a number by N")
    made.add_argument("-t", "--type", choices=("int", "double"), help="show a number as an int or a double")
    made.add_argument("-R", "--rusage", nargs="?", const="self", choices=WHO, metavar="WHO", help=RUSAGE_HELP)
    made.add_argument("-c", "--clear", action="store_true", help="set the counters to 0")
    made.add_argument("-C", "--clear-all", action="store_true", help="set the counters to 0 on all ranks")
    made.add_argument("module", metavar="MODULE", help="a module or another service")


def _debug(commands: Any) -> None:
    made = _subcommand(commands, "debug", "show or change a module's debug flags", DEBUG_EXAMPLES, debug)
    change = made.add_mutually_exclusive_group()
    change.add_argument("-C", "--clear", action="store_const", const=0, dest="clr", help="clear all")
    change.add_argument("-S", "--set", type=flags, metavar="MASK", help="set them to MASK")
    change.add_argument("-s", "--setbit", type=flags, metavar="MASK", help="set the bits of MASK")
    change.add_argument("-c", "--clearbit", type=flags, dest="clrbit", metavar="MASK", help="clear the bits of MASK")
    made.add_argument("module", metavar="MODULE", help="the module")


def _trace(commands: Any) -> None:
    made = _subcommand(commands, "trace", "show the messages of modules", TRACE_EXAMPLES, trace)
    made.add_argument("-f", "--full", action="store_true", help="with payloads that are JSON")
    made.add_argument("-T", "--topic", metavar="GLOB", default="*", help="only topics that match a shell pattern")
    made.add_argument("-t", "--type", type=_mask, metavar="TYPE,...", default=0, help=f"only some: {', '.join(TYPES)}")
    traceview.options(made)
    made.add_argument("modules", nargs="*", default=[], metavar="MODULE", help="modules; all of them without one")


def _subcommand(commands: Any, name: str, description: str, examples: str, do: Any) -> Parser:
    made = subcommand(commands, name, description, examples)
    made.add_argument("-r", "--rank", metavar="IDSET", help=RANK_HELP)
    made.set_defaults(do=do)
    return made


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"'{text}' is not a number") from None


def _mask(text: str) -> int:
    """Reads kinds of messages: `request,event`."""
    mask = 0
    for word in text.split(","):
        if word not in TYPES:
            raise ArgumentTypeError(f"'{word}' is no type of message (there are {', '.join(TYPES)})")
        mask |= TYPES[word]
    return mask


# -- what they do ---------------------------------------------------------------------------------------------------


def show_list(handle: Flux, args: Namespace) -> None:
    """Runs `flux module list`."""
    modules = handle.rpc("module.list").get()["mods"]
    print(moduleview.as_json(modules) if args.json else moduleview.table(modules, args.long))


def load(handle: Flux, args: Namespace) -> None:
    """Runs `flux module load`."""
    payload = {"path": full_path(args.module), "args": args.arguments, "exec": args.exec}
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
        return
    topic, payload = stats_question(args)
    with about(args.module):
        answer = handle.rpc(topic, payload).get()
        if not args.clear:
            print(moduleview.value(moduleview.member(answer, args.parse), args.type, args.scale))


def debug(handle: Flux, args: Namespace) -> None:
    """Runs `flux module debug`."""
    topic, payload = debug_question(args)
    with about(args.module):
        answer = handle.rpc(topic, payload).get()
    print(f"{answer['flags']:#x}")


def trace(handle: Flux, args: Namespace) -> None:
    """Runs `flux module trace`."""
    view = traceview.View(args, args.modules)
    for name in _not_loaded(handle, args.modules):
        print(f"flux-module: {name} is not loaded on this broker: waiting for it", file=sys.stderr)
    for record in handle.stream("module.trace", trace_question(args)):
        if not view.show(record):
            break


def _not_loaded(handle: Flux, names: list[str]) -> list[str]:
    if not names:
        return []
    loaded = {name for known in handle.rpc("module.list").get()["mods"] for name in (known["name"], *known["services"])}
    return [name for name in names if name not in loaded]


# -- what they ask --------------------------------------------------------------------------------------------------


def stats_question(args: Namespace) -> tuple[str, dict[str, Any] | None]:
    """What `flux module stats` asks of a broker."""
    if args.clear:
        return f"{args.module}.stats-clear", None
    return (f"{args.module}.rusage", {"who": args.rusage}) if args.rusage else (f"{args.module}.stats-get", None)


def debug_question(args: Namespace) -> tuple[str, dict[str, Any]]:
    """What `flux module debug` asks of a broker."""
    asked = ((op, getattr(args, op)) for op in ("clr", "set", "setbit", "clrbit"))
    op, bits = next(((op, mask) for op, mask in asked if mask is not None), ("setbit", 0))
    return f"{args.module}.debug", {"op": op, "flags": bits}


def trace_question(args: Namespace) -> dict[str, Any]:
    """What `flux module trace` asks of a broker."""
    return {"names": args.modules, "typemask": args.type or 0x0F, "topic_glob": args.topic, "full": args.full}


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
