"""`flux shutdown`: ends the session."""

import sys
from errno import ECONNRESET

from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

WARNING, INFO, DEBUG = 4, 6, 7
"""Severities of log messages."""

EXAMPLES = """\
  flux shutdown                    end the session, showing what it logs meanwhile
  flux shutdown --background       do not wait for its end
  flux shutdown local:///run/flux/local

The program that the session runs is ended. Only the broker of rank 0 takes the request.
"""


def parser() -> Parser:
    """The options of `flux shutdown`."""
    made = command_parser("shutdown", "End the session.", EXAMPLES)
    made.add_argument("--background", action="store_true", help="do not wait for the end")
    made.add_argument("-q", "--quiet", action="store_true", help="show only warnings and errors")
    made.add_argument("-v", "--verbose", action="count", default=0, help="show all log messages")
    made.add_argument("target", nargs="?", metavar="TARGET", help="the URI of another session")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux shutdown`."""
    args = parser().parse_args(argv)
    payload = {"loglevel": WARNING if args.quiet else DEBUG if args.verbose else INFO}
    with Flux(args.target) as handle:
        if args.background:
            handle.rpc("shutdown.start", payload).get()
        else:
            follow(handle, payload)
    return 0


def follow(handle: Flux, payload: dict[str, int]) -> None:
    """Shows what is logged until the broker ends the stream, or is gone itself."""
    begun = False
    try:
        for answer in handle.stream("shutdown.start", payload):
            begun = True
            print(answer["log"].rstrip("\n"), file=sys.stderr, flush=True)
    except OSError as error:
        if error.errno != ECONNRESET or not begun:
            raise
