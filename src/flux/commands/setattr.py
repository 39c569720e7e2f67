"""`flux setattr`: changes a broker attribute."""

from flux.commands.complaint import about
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux setattr log-stderr-level 7         have this broker write all that it logs to stderr
  flux setattr --force NAME VALUE         also if the attribute is meant to stay as it is
"""


def parser() -> Parser:
    """The options of `flux setattr`."""
    made = command_parser("setattr", "Change an attribute of the broker.", EXAMPLES)
    made.add_argument("-f", "--force", action="store_true", help="change it even if it is not meant to change")
    made.add_argument("name", metavar="NAME", help="the attribute; a new one is made")
    made.add_argument("value", metavar="VALUE", help="its new value")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux setattr`."""
    args = parser().parse_args(argv)
    payload = {"name": args.name, "value": args.value}
    with Flux() as handle, about(args.name):
        handle.rpc("attr.set", payload | {"force": True} if args.force else payload).get()
    return 0
