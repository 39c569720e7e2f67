"""`flux barrier`: waits until a number of processes have come this far."""

from flux.commands.parser import Parser, command_parser, count
from flux.core.handle import Flux

EXAMPLES = """\
  flux barrier --nprocs 4 ready        wait until four processes have said the same
  flux exec -r all flux barrier --nprocs $(flux getattr size) everybody

The name is free again when all have passed. If one of those that wait goes away, the others get an error.
"""


def parser() -> Parser:
    """The options of `flux barrier`."""
    made = command_parser("barrier", "Wait until a number of processes have entered a barrier of a name.", EXAMPLES)
    made.add_argument("-n", "--nprocs", type=count, default=1, metavar="N", help="how many it takes (1)")
    made.add_argument("name", metavar="NAME", help="the barrier, the same for all")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux barrier`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        handle.rpc("barrier.enter", {"name": args.name, "nprocs": args.nprocs}).get()
    return 0
