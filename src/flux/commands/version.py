"""`flux version`: which interface is served, by which version of this implementation, and by which broker."""

import os

from flux.base.version import INTERFACE, OWN
from flux.commands.parser import Parser, command_parser

EXAMPLES = """\
  flux version             of the commands and, in a session, of its broker
  flux version --json      for programs

`commands`, `libflux-core` and `broker` are levels of flux-core's interface; `fluxrm` is this implementation's own.
"""


def parser() -> Parser:
    """The options of `flux version`."""
    made = command_parser("version", "Show versions.", EXAMPLES)
    made.add_argument("--json", action="store_true", help="as a JSON object")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux version`."""
    args = parser().parse_args(argv)
    own = {"commands": INTERFACE, "libflux-core": INTERFACE, "fluxrm": OWN}
    if args.json:
        from json import dumps

        print(dumps(own | broker(), indent=2))
    else:
        show(own)  # also if the broker does not answer
        show(broker())
    return 0


def show(versions: dict[str, str]) -> None:
    """Prints a line for each."""
    for name, version in versions.items():
        print(f"{name + ':':<24}{version}")


def broker() -> dict[str, str]:
    """What the broker of the session around us says; nothing outside of one."""
    uri = os.environ.get("FLUX_URI")
    if not uri:
        return {}
    from flux.core.handle import Flux

    with Flux() as handle:
        return {"broker": handle.attr_get("version"), "FLUX_URI": uri}
