"""`flux dmesg`: shows the log that the broker keeps, or clears it."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from errno import ENODATA

from flux.commands import logview
from flux.commands.parser import Parser, command_parser
from flux.constants import FLUX_RPC_STREAMING
from flux.core.handle import Flux
from flux.rpc import RPC

EXAMPLES = """\
  flux dmesg                        what this broker remembers
  flux dmesg -H --follow            for people, and whatever comes
  flux dmesg --new                  only what comes
  flux exec -r all flux dmesg       of all brokers
"""


def parser() -> Parser:
    """The options of `flux dmesg`."""
    made = command_parser("dmesg", "Show or clear the log that the broker keeps.", EXAMPLES)
    made.add_argument("-C", "--clear", action="store_true", help="clear the log, show nothing")
    made.add_argument("-c", "--read-clear", action="store_true", help="clear the log after it is shown")
    made.add_argument("-f", "--follow", action="store_true", help="go on with new messages as they come")
    made.add_argument("-n", "--new", action="store_true", help="only new messages, as they come")
    made.add_argument("-H", "--human", action="store_true", help="times that are easier to read")
    made.add_argument("-d", "--delta", action="store_true", help="with --human, the time since the message before")
    made.add_argument(
        "-L",
        "--color",
        nargs="?",
        choices=("always", "never", "auto"),
        const="always",
        default="auto",
        metavar="WHEN",
        help="colors: always (the default if WHEN is not given), never, auto: on a terminal",
    )
    return made


def main(argv: list[str]) -> int:
    """Runs `flux dmesg`."""
    made = parser()
    args = made.parse_args(argv)
    if args.delta and not args.human:
        made.error("--delta can only be used with --human")
    with Flux() as handle:
        if not args.clear:
            show(handle, args)
        if args.clear or args.read_clear:
            handle.rpc("log.clear").get()
    return 0


def show(handle: Flux, args: Namespace) -> None:
    """Prints messages, until there are no more of those that were asked for."""
    view = logview.View(args.human, args.delta, logview.wants_color(args.color, sys.stdout))
    asked = {"follow": args.follow or args.new, "nobacklog": args.new}
    for record in records(handle.rpc("log.dmesg", asked, flags=FLUX_RPC_STREAMING)):
        print(view.line(record), flush=True)


def records(rpc: RPC) -> Iterator[str]:
    """The answers to log.dmesg: text, not JSON, each of them a record."""
    while True:
        try:
            yield rpc.get_str() or ""
        except OSError as error:
            if error.errno == ENODATA:
                return
            raise
        rpc.reset()
