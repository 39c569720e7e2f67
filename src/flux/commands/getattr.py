"""`flux getattr`: shows a broker attribute."""

from flux.commands.complaint import about
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux getattr size             how many brokers the session has
  flux getattr local-uri        where this broker listens for programs
"""


def parser() -> Parser:
    """The options of `flux getattr`."""
    made = command_parser("getattr", "Show the value of an attribute of the broker.", EXAMPLES)
    made.add_argument("name", metavar="NAME", help="the attribute; `flux lsattr` lists them")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux getattr`."""
    name = parser().parse_args(argv).name
    with Flux() as handle:
        with about(name):
            value = handle.attr_get(name)
        print(value)
    return 0
