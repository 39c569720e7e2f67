"""`flux down`: the ranks that are missing."""

from flux.commands.parser import Parser, command_parser
from flux.commands.presence import show

EXAMPLES = """\
  flux down             the ranks that cannot be reached
  flux down --hosts     their hosts
  flux down --count && echo "somebody is missing"
"""


def parser() -> Parser:
    """The options of `flux down`."""
    made = command_parser("down", "Show which brokers of the instance are missing; exits with 1 if none is.", EXAMPLES)
    made.add_argument("--hosts", action="store_true", help="hosts instead of ranks")
    made.add_argument("-c", "--count", action="store_true", help="how many")
    made.add_argument("--json", action="store_true", help="as a JSON object")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux down`."""
    return show(parser().parse_args(argv), missing=True)
