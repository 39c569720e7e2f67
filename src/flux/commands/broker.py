"""`flux broker`: be one broker of a session, as whatever PMI says there is."""

from argparse import REMAINDER, ArgumentParser, ArgumentTypeError, Namespace

from flux.broker.options import BrokerOptions
from flux.commands.parser import Parser, command_parser

EXAMPLES = """\
  flux broker                        a session of one broker, with a shell
  srun -n 4 --mpi=pmi2 flux broker   a session of four, one on each of srun's tasks
  flux broker -S log-stderr-level=7 ./script
  flux broker -c /etc/flux/system/conf.d
                                     the broker that this host is in a configured session
"""


def parser() -> Parser:
    """The options of `flux broker`."""
    made = command_parser("broker", "Run one broker. Rank 0 runs the command, and the session ends with it.", EXAMPLES)
    made.usage = "flux broker [OPTIONS] [COMMAND [ARGUMENT ...]]"
    add_options(made)
    made.add_argument("command", nargs=REMAINDER, metavar="COMMAND", help="what rank 0 runs instead of a shell")
    return made


def add_options(made: ArgumentParser) -> None:
    """The options that `flux start` has as well."""
    made.add_argument(
        "-S", "--setattr", action="append", type=_setting, default=[], metavar="ATTR=VAL", help="set a broker attribute"
    )
    made.add_argument(
        "-c", "--config-path", default="", metavar="PATH", help="read the configuration from a file or directory"
    )
    made.add_argument(
        "--conf",
        action="append",
        default=[],
        metavar="VALUE",
        help="add to the configuration: KEY=VALUE, a file, TOML or JSON; may be repeated",
    )
    made.add_argument("-v", "--verbose", action="count", default=0, help="say more; twice, say much more")


def options(args: Namespace) -> BrokerOptions:
    """What a broker is told, from parsed options."""
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    return BrokerOptions(dict(args.setattr), args.verbose, tuple(command), args.config_path, tuple(args.conf))


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"'{text}' is not ATTR=VAL")
    return name, value


def main(argv: list[str]) -> int:
    """Runs `flux broker`."""
    told = options(parser().parse_args(argv))
    from flux.broker import process

    return process.main(told)
