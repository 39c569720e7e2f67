"""`flux modprobe`: modules with what they require, in the right order."""

from argparse import Namespace
from errno import EBUSY, EEXIST, EINVAL, ENOENT
from typing import Any

from flux.base.idset import IDset
from flux.base.modprobe import Entry, Facts, Modprobe
from flux.commands.complaint import about, complain
from flux.commands.parser import Parser, command_parser, subcommand
from flux.core.handle import Flux
from flux.runtime import modprobe

EXAMPLES = """\
  flux modprobe load kvs                 with what it requires
  flux modprobe load -r all kvs          on all ranks, also on those that join later
  flux modprobe remove kvs               refused while another module needs it
  flux modprobe list-dependencies kvs
  flux modprobe rc1 --dry-run            what is loaded when a broker starts

Modules are described in modprobe.toml and modprobe.d/*.toml of the directories in FLUX_MODPROBE_PATH, beside those
that come with Flux.
"""
LOAD_EXAMPLES = """\
  flux modprobe load kvs
  flux modprobe load --dry-run kvs barrier
"""
REMOVE_EXAMPLES = """\
  flux modprobe remove kvs
  flux modprobe remove all
"""
LIST_EXAMPLES = """\
  flux modprobe list-dependencies kvs
  flux modprobe list-dependencies -S content-backing=content-memory kvs
"""
SHOW_EXAMPLES = """\
  flux modprobe show kvs
  flux modprobe show content-backing     the module that provides it
"""
RC1_EXAMPLES = """\
  flux modprobe rc1 --dry-run
  flux modprobe rc1 --show-deps
"""
RC3_EXAMPLES = """\
  flux modprobe rc3 --dry-run
"""
RANK_HELP = "on these ranks (an idset, or all)"


def parser() -> Parser:
    """The options of `flux modprobe`."""
    made = command_parser("modprobe", "Load and remove modules with what they require.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, do, examples in (("load", load, LOAD_EXAMPLES), ("remove", remove, REMOVE_EXAMPLES)):
        one = subcommand(commands, name, f"{name} modules", examples)
        one.add_argument("--dry-run", action="store_true", help="only show what would be done")
        one.add_argument("-r", "--rank", metavar="IDSET", help=RANK_HELP)
        one.add_argument("modules", nargs="+", metavar="MODULE", help="a module, or a service that one provides")
        one.set_defaults(do=do)
    _about_one(
        commands, "list-dependencies", "show what a module requires, as a tree", LIST_EXAMPLES, list_dependencies
    )
    _about_one(commands, "show", "show what is known about a module, as JSON", SHOW_EXAMPLES, show)
    for name, do, examples in (("rc1", rc1, RC1_EXAMPLES), ("rc3", rc3, RC3_EXAMPLES)):
        what = "load all that is loaded when a broker starts" if name == "rc1" else "remove all modules"
        one = subcommand(commands, name, what, examples)
        one.add_argument("-v", "--verbose", action="store_true", help="show what is done")
        one.add_argument("--dry-run", action="store_true", help="only show what would be done")
        if name == "rc1":
            one.add_argument("--show-deps", action="store_true", help="only show which module waits for which, as JSON")
        one.set_defaults(do=do, rank=None)
    return made


def _about_one(commands: Any, name: str, description: str, examples: str, do: Any) -> None:
    one = subcommand(commands, name, description, examples)
    choose = "let MODULE be meant by the service NAME"
    one.add_argument("-S", "--set-alternative", metavar="NAME=MODULE", action="append", default=[], help=choose)
    one.add_argument("-D", "--disable", metavar="NAME", action="append", default=[], help="disable a module")
    if name == "list-dependencies":
        one.add_argument("-f", "--full", action="store_true", help="show duplicates, too")
    one.add_argument("module", metavar="MODULE", help="a module or a service")
    one.set_defaults(do=do)


def main(argv: list[str]) -> int:
    """Runs `flux modprobe`."""
    args = parser().parse_args(argv)
    code: int = args.do(args, modprobe.table())
    return code


# -- looking --------------------------------------------------------------------------------------------------------


def show(args: Namespace, table: Modprobe) -> int:
    """Runs `flux modprobe show`."""
    from json import dumps

    print(dumps(_adjusted(args, table).find(args.module).describe()))
    return 0


def list_dependencies(args: Namespace, table: Modprobe) -> int:
    """Runs `flux modprobe list-dependencies`."""
    from flux.commands.dependencies import tree

    print(tree(_adjusted(args, table), args.module, args.full))
    return 0


def _adjusted(args: Namespace, table: Modprobe) -> Modprobe:
    for text in args.set_alternative:
        service, sign, name = text.partition("=")
        if not (service and sign):
            raise OSError(EINVAL, f"--set-alternative: '{text}' is not NAME=MODULE")
        table.choose(service, name)
    for name in args.disable:
        table.disable(name)
    return table


# -- doing ----------------------------------------------------------------------------------------------------------


def load(args: Namespace, table: Modprobe) -> int:
    """Runs `flux modprobe load`."""
    for name in args.modules:
        table.find(name)
    with Flux() as handle:
        return Work(handle, args).load(table, args.modules)


def rc1(args: Namespace, table: Modprobe) -> int:
    """Runs `flux modprobe rc1`: on this rank, what is not loaded already."""
    with Flux() as handle:
        rank = handle.get_rank()
        entries = [entry for entry in table.enabled(facts(handle)) if entry.on(rank)]
        if args.show_deps:
            from json import dumps

            print(dumps(table.predecessors(entries)))
            return 0
        return Work(handle, args).load_entries([(entry, IDset(rank)) for entry in entries])


def remove(args: Namespace, table: Modprobe) -> int:
    """Runs `flux modprobe remove`."""
    with Flux() as handle:
        work = Work(handle, args)
        if args.modules == ["all"]:
            return work.remove(list(reversed(work.loaded)))
        return work.remove(targets(table, args.modules, list(work.loaded)))


def rc3(args: Namespace, table: Modprobe) -> int:
    """Runs `flux modprobe rc3`: removes all that can be, the last one first."""
    with Flux() as handle:
        work = Work(handle, args)
        return work.remove(list(reversed(work.loaded)))


def facts(handle: Flux) -> Facts:
    """What modules may need to be there."""

    def attr(name: str) -> bool:
        try:
            handle.attr_get(name)
        except OSError:
            return False
        return True

    def config(key: str) -> bool:
        try:
            return handle.conf_get(key) is not None
        except OSError:
            return False

    return Facts(attr, config, modprobe.env)


def targets(table: Modprobe, names: list[str], loaded: list[str]) -> list[str]:
    """What goes with these modules, in order: they, then what nobody requires any more. EBUSY: one is still in use."""
    going = []
    for name in names:
        found = table.find(name).name if name not in loaded and _knows(table, name) else name
        if found not in loaded:
            raise OSError(ENOENT, f"module {name} is not loaded")
        going.append(found)
    for name in going:
        users = [user for user in table.users(name, loaded) if user not in going]
        if users:
            raise OSError(EBUSY, f"{name} is still in use by {', '.join(sorted(users))}")
    for name in going:  # it grows meanwhile
        required = table.find(name).requires if _knows(table, name) else ()
        for other in (table.find(service).name for service in required if _knows(table, service)):
            if other in loaded and other not in going and set(table.users(other, loaded)) <= set(going):
                going.append(other)
    return sorted(going, key=loaded.index, reverse=True)


def _knows(table: Modprobe, name: str) -> bool:
    try:
        table.find(name)
    except OSError:
        return False
    return True


class Work:
    """Loads and removes on the broker that we are connected to, or on a set of ranks."""

    def __init__(self, handle: Flux, args: Namespace) -> None:
        self._handle, self._rank, self._dry = handle, args.rank, args.dry_run
        self._verbose = args.dry_run or getattr(args, "verbose", False)
        own = handle.get_rank()
        self._ranks = IDset(own)
        if self._rank is not None:
            self._ranks = IDset(range(int(handle.attr_get("size")))) if self._rank == "all" else _idset(self._rank)
        self.loaded: dict[str, IDset] = {}
        """Which modules are loaded on which of the ranks."""
        for ranks, answer in handle.multicast("modctl.loaded", None, self._ranks).check().answers:
            for module in answer["modules"]:
                self.loaded.setdefault(module["name"], IDset()).add(ranks)

    def load(self, table: Modprobe, names: list[str]) -> int:
        """Loads modules, and before them what they require, where it is not loaded."""
        needed: dict[str, IDset] = {}
        for rank in self._ranks:
            for entry in table.closure(names, rank):
                needed.setdefault(entry.name, IDset()).set(rank)
        return self.load_entries([(entry, needed[entry.name]) for entry in table.ordered(map(table.find, needed))])

    def load_entries(self, entries: list[tuple[Entry, IDset]]) -> int:
        """Loads these on those ranks, unless they are."""
        code, missing = 0, [(entry, ranks.difference(self.loaded.get(entry.name, ""))) for entry, ranks in entries]
        for entry, ranks in missing:
            if ranks:
                code = code or self._load(entry, ranks)
        if not any(ranks for _, ranks in missing):
            complain("flux-modprobe", "all modules and what they require are loaded already")
        return code

    def _load(self, entry: Entry, ranks: IDset) -> int:
        self._say("load", entry.name, ranks, entry.args)
        if self._dry:
            return 0
        asked = {"path": entry.path, "args": list(entry.args), "name": entry.name}
        if self._rank is not None:
            return self._everywhere(
                f"load {entry.name}", "modctl.load", asked | {"ranks": str(ranks), "force": True}, EEXIST
            )
        with about(f"load {entry.name}"):
            self._handle.rpc("module.load", asked).get()
        return 0

    def remove(self, names: list[str]) -> int:
        """Removes these from where they are."""
        code = 0
        for name in names:
            ranks = self.loaded[name]
            self._say("remove", name, ranks)
            if self._dry:
                continue
            if self._rank is not None:
                code = code or self._everywhere(
                    f"remove {name}", "modctl.remove", {"name": name, "ranks": str(ranks), "force": True}, ENOENT
                )
            else:
                with about(f"remove {name}"):
                    self._handle.rpc("module.remove", {"name": name}).get()
        return code

    def _everywhere(self, what: str, topic: str, asked: dict[str, Any], forgiven: int) -> int:
        code = 0
        with about(what):
            answer = self._handle.rpc(topic, asked, nodeid=0).get()
        for ranks, errnum, text in answer["errors"]:
            if errnum != forgiven:
                complain("flux-modprobe", f"{what}: ranks {ranks}: {text}")
                code = 1
        return code

    def _say(self, verb: str, name: str, ranks: IDset, args: tuple[str, ...] = ()) -> None:
        if self._verbose:
            where = f" on {ranks}" if self._rank is not None else ""
            print(" ".join((verb, name, *args)) + where)


def _idset(text: str) -> IDset:
    try:
        return IDset(text)
    except ValueError as error:
        raise OSError(EINVAL, f"--rank: {error}") from None
