"""`flux broker`: be one broker of a session, as whatever PMI says there is."""

from argparse import REMAINDER, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from errno import EINVAL

from flux.broker.options import BrokerOptions

EXAMPLES = """\
examples:
  flux broker                        a session of one broker, with a shell
  srun -n 4 --mpi=pmi2 flux broker   a session of four, one on each of srun's tasks
  flux broker -S log-stderr-level=7 ./script
"""


def parser() -> ArgumentParser:
    """The options of `flux broker`."""
    made = ArgumentParser(
        prog="flux broker",
        description="Run one broker. Rank 0 runs the command, or a shell; the session ends with it.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_options(made)
    made.add_argument("command", nargs=REMAINDER, metavar="COMMAND ...", help="what rank 0 runs instead of a shell")
    return made


def add_options(made: ArgumentParser) -> None:
    """The options that `flux start` has as well."""
    made.add_argument("-S", "--setattr", action="append", default=[], metavar="ATTR=VAL", help="set a broker attribute")
    made.add_argument("-v", "--verbose", action="count", default=0, help="say more; twice, say much more")


def options(args: Namespace) -> BrokerOptions:
    """What a broker is told, from parsed options. OSError names an option that makes no sense."""
    attributes = {}
    for setting in args.setattr:
        name, equals, value = setting.partition("=")
        if not name or not equals:
            raise OSError(EINVAL, f"--setattr: '{setting}' is not ATTR=VAL")
        attributes[name] = value
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    return BrokerOptions(attributes, args.verbose, tuple(command))


def main(argv: list[str]) -> int:
    """Runs `flux broker`."""
    told = options(parser().parse_args(argv))
    from flux.broker import process

    return process.main(told)
