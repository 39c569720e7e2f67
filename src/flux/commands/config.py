"""`flux config`: the configuration of the session, to look at and to change."""

from argparse import Namespace
from errno import EINVAL, ENOENT
from typing import TYPE_CHECKING, Any

from flux.base.config.source import member, words
from flux.commands import configvalue
from flux.commands.parser import Parser, command_parser, subcommand

if TYPE_CHECKING:
    from flux.base.config import Config
    from flux.core.handle import Flux

EXAMPLES = """\
  flux config get                          all of it, as JSON
  flux config get --type=fsd-integer tbon.tcp_user_timeout
  flux config set --type=fsd heartbeat.period 5s
  flux config reload                       read the files again

Rank 0 has the configuration from files (`flux start --config-path`), the other brokers have it from rank 0. It can be
changed on rank 0 alone. What is wrong anywhere changes nothing.
"""
GET_EXAMPLES = """\
  flux config get
  flux config get heartbeat.period
  flux config get --default=2s heartbeat.period
  flux config get --config-path=./conf.d bootstrap.hosts
"""
SET_EXAMPLES = """\
  flux config set --type=fsd heartbeat.period 5s
  flux config set heartbeat.warn_thresh 5       of the type that it has
"""
UNSET_EXAMPLES = """\
  flux config unset heartbeat.period
"""
LOAD_EXAMPLES = """\
  flux config load ./conf.d
  flux config get | jq '.heartbeat.period = "5s"' | flux config load
"""
RELOAD_EXAMPLES = """\
  flux config reload
  flux config reload --follower-noop      for systemd, on every node
"""
BUILTIN_EXAMPLES = """\
  flux config builtin confdir
"""
SHORTHANDS = ("system", "security", "imp")


def parser() -> Parser:
    """The options of `flux config`."""
    made = command_parser("config", "Show and change the configuration of the session.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _get(commands)
    _set(commands)
    _unset(commands)
    _load(commands)
    _reload(commands)
    _builtin(commands)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux config`."""
    args = parser().parse_args(argv)
    code: int = args.do(args)
    return code


def _get(commands: Any) -> None:
    made = subcommand(commands, "get", "show the configuration, or a value of it", GET_EXAMPLES)
    made.add_argument("-c", "--config-path", metavar="PATH", help="of these files instead; also system, security, imp")
    made.add_argument("-d", "--default", metavar="VALUE", help="what to show if it is not set")
    made.add_argument("-q", "--quiet", action="store_true", help="say nothing if it is not set")
    made.add_argument("-t", "--type", default="any", metavar="TYPE", help=configvalue.TYPES_HELP)
    made.add_argument("name", nargs="?", metavar="NAME", help="the value's name, as heartbeat.period")
    made.set_defaults(do=get)


def _set(commands: Any) -> None:
    made = subcommand(commands, "set", "change a value", SET_EXAMPLES)
    made.add_argument("-t", "--type", metavar="TYPE", help="string, integer, real, boolean, object, array or fsd")
    made.add_argument("name", metavar="NAME", help="the value's name")
    made.add_argument("value", metavar="VALUE", help="what it is to be")
    made.set_defaults(do=set_value)


def _unset(commands: Any) -> None:
    made = subcommand(commands, "unset", "take a value out", UNSET_EXAMPLES)
    made.add_argument("name", metavar="NAME", help="the value's name")
    made.set_defaults(do=unset)


def _load(commands: Any) -> None:
    made = subcommand(commands, "load", "replace the configuration", LOAD_EXAMPLES)
    made.add_argument("path", nargs="?", metavar="PATH", help="a file or directory (else TOML or JSON from stdin)")
    made.set_defaults(do=load)


def _reload(commands: Any) -> None:
    made = subcommand(commands, "reload", "read the configuration from its files again", RELOAD_EXAMPLES)
    made.add_argument("--follower-noop", action="store_true", help="do nothing on another rank than 0")
    made.set_defaults(do=reload)


def _builtin(commands: Any) -> None:
    made = subcommand(commands, "builtin", "show where this Flux has its parts", BUILTIN_EXAMPLES)
    where = made.add_mutually_exclusive_group()
    where.add_argument("--intree", action="store_true", help="the same here: nothing is built")
    where.add_argument("--installed", action="store_true", help="the same here: nothing is built")
    made.add_argument("name", metavar="NAME", help="confdir, rundir, exec_path, ...")
    made.set_defaults(do=builtin)


def get(args: Namespace) -> int:
    """Prints what is configured."""
    configvalue.check_type(args.type)
    values = _from_files(args.config_path).values if args.config_path else _current()
    try:
        found = values if args.name is None else member(values, args.name)
    except FileNotFoundError:
        if args.default is not None:
            print(args.default)
            return 0
        if args.quiet:
            return 1
        raise
    print(configvalue.shown(found, args.type, args.name or "value"))
    return 0


def set_value(args: Namespace) -> int:
    """Changes one value of all."""
    with _flux() as handle:
        values = handle.rpc("config.get").get()
        kind = args.type or _type_of(values, args.name)
        _put(values, args.name, configvalue.read(args.value, kind))
        handle.rpc("config.load", values).get()
    return 0


def unset(args: Namespace) -> int:
    """Takes one value out; it need not be there."""
    with _flux() as handle:
        values = handle.rpc("config.get").get()
        *tables, last = words(args.name)
        try:
            inner = member(values, ".".join(tables)) if tables else values
        except FileNotFoundError:
            return 0
        if isinstance(inner, dict) and last in inner:
            del inner[last]
            handle.rpc("config.load", values).get()
    return 0


def load(args: Namespace) -> int:
    """Replaces all of it."""
    found = _from_files(args.path) if args.path else _from_stdin()
    with _flux() as handle:
        found.check()  # here its files and lines are known
        handle.rpc("config.load", found.values).get()
    return 0


def reload(args: Namespace) -> int:
    """Has rank 0 read its files."""
    with _flux() as handle:
        if not (args.follower_noop and handle.get_rank() > 0):
            handle.rpc("config.reload").get()
    return 0


def builtin(args: Namespace) -> int:
    """Prints where something is."""
    from flux.runtime import installation

    print(installation.value(args.name))
    return 0


def _flux() -> "Flux":
    from flux.core.handle import Flux

    return Flux()


def _current() -> dict[str, Any]:
    with _flux() as handle:
        return dict(handle.rpc("config.get").get())


def _from_files(path: str) -> "Config":
    from flux.runtime.configfile import read_config

    if path in SHORTHANDS:
        from flux.runtime import installation

        path = f"{installation.value('confdir')}/{path}/conf.d"
    return read_config(path)


def _from_stdin() -> "Config":
    import sys

    from flux.base.config import from_json, from_toml, joined

    text = sys.stdin.read()
    return joined((from_json if text.lstrip().startswith("{") else from_toml)(text, "stdin"))


def _type_of(values: dict[str, Any], name: str) -> str:
    try:
        return configvalue.type_of(member(values, name))
    except FileNotFoundError:
        raise OSError(ENOENT, f"{name} is not set, so its type is unknown: say --type") from None


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    """Sets a value, with the tables around it. OSError(EINVAL) if what is there is none."""
    *tables, last = words(name)
    inner: Any = values
    for table in tables:
        inner = inner.setdefault(table, {})
        if not isinstance(inner, dict):
            raise OSError(EINVAL, f"{name}: '{table}' is not a table")
    inner[last] = value
