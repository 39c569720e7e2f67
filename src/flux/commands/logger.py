"""`flux logger`: writes to the log of the broker."""

import sys
import time

from flux.base.logline import SEVERITIES, LogLine, timestamp
from flux.commands.parser import Parser, command_parser
from flux.constants import FLUX_RPC_NORESPONSE
from flux.core.handle import Flux

SEVERITY_HELP = f"how grave it is: {', '.join(SEVERITIES)} (notice)"
EXAMPLES = """\
  flux logger the nodes are warm
  flux logger --severity err --appname cooling too hot
  make 2>&1 | flux logger -n make        a line of input is a line of the log
  flux dmesg -H                          shows it
"""


def parser() -> Parser:
    """The options of `flux logger`."""
    made = command_parser("logger", "Write a line to the log, or what comes on standard input.", EXAMPLES)
    made.add_argument(
        "-s",
        "--severity",
        choices=SEVERITIES,
        default="notice",
        metavar="NAME",
        help=SEVERITY_HELP,
    )
    made.add_argument("-n", "--appname", default="logger", metavar="NAME", help="in whose name (logger)")
    made.add_argument("message", nargs="*", default=[], metavar="MESSAGE", help="what to write")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux logger`."""
    args = parser().parse_args(argv)
    lines = [" ".join(args.message)] if args.message else sys.stdin
    severity, app = SEVERITIES.index(args.severity), args.appname.replace(" ", "_")
    with Flux() as handle:
        rank = handle.get_rank()
        for line in lines:
            record = LogLine(severity, timestamp(time.time()), rank, app, line.rstrip("\n"))
            handle.rpc("log.append", record.encode().encode(), flags=FLUX_RPC_NORESPONSE)
    return 0
