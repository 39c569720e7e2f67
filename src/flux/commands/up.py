"""`flux up`: the ranks that are there."""

from flux.commands.parser import Parser, command_parser
from flux.commands.presence import show

EXAMPLES = """\
  flux up             the ranks that can be reached
  flux up --hosts     their hosts
  flux up --count     how many
"""


def parser() -> Parser:
    """The options of `flux up`."""
    made = command_parser("up", "Show which brokers of the instance are there.", EXAMPLES)
    made.add_argument("--hosts", action="store_true", help="hosts instead of ranks")
    made.add_argument("-c", "--count", action="store_true", help="how many")
    made.add_argument("--json", action="store_true", help="as a JSON object")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux up`."""
    return show(parser().parse_args(argv), missing=False)
