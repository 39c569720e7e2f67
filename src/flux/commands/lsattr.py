"""`flux lsattr`: lists the broker attributes."""

from errno import ENOENT
from typing import Any

from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux lsattr              the names
  flux lsattr -v           with their values
  flux lsattr --json       names and values, for programs
"""


def parser() -> Parser:
    """The options of `flux lsattr`."""
    made = command_parser("lsattr", "List the attributes of the broker.", EXAMPLES)
    made.add_argument("-v", "--values", action="store_true", help="show their values, too")
    made.add_argument("--json", action="store_true", help="names and values as a JSON object")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux lsattr`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        names = sorted(handle.rpc("attr.list").get()["names"])
        found = values(handle, names) if args.values or args.json else {}
    if args.json:
        from json import dumps

        print(dumps(found, indent=2))
    elif args.values:
        for name, value in found.items():
            print(f"{name:<40}{'-' if value is None else value}")
    else:
        print("\n".join(names))
    return 0


def values(handle: Flux, names: list[str]) -> dict[str, Any]:
    """Asks for all of them before it waits for the first. None is the value of one that has gone meanwhile."""
    asked = [handle.rpc("attr.get", {"name": name}) for name in names]
    found: dict[str, Any] = {}
    for name, rpc in zip(names, asked, strict=True):
        try:
            found[name] = rpc.get()["value"]
        except OSError as error:
            if error.errno != ENOENT:
                raise
            found[name] = None
    return found
