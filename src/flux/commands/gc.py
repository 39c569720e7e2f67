"""`flux gc`: removes from the backing store what nothing leads to any more."""

import sys
from argparse import SUPPRESS, Namespace
from errno import ENOSYS
from typing import Any

from flux.commands.parser import Parser, command_parser, count
from flux.core.handle import Flux

EXAMPLES = """\
  flux gc                        while the session goes on
  flux gc -v                     and show how far it is
  flux gc --json | jq .swept
"""
NO_COLLECTOR = "the backing store does not collect garbage, or there is none"
PHASES = {
    "mark": "{marked} blobs are in use so far",
    "sweep": "{percent}%: {swept} blobs removed",
    "shrink": "{free} bytes to give back",
}


def parser() -> Parser:
    """The options of `flux gc`."""
    made = command_parser(
        "gc", "Remove blobs from the backing store that no version of the key-value store in use leads to.", EXAMPLES
    )
    made.add_argument("-v", "--verbose", action="count", default=0, help="show how far it is")
    made.add_argument("--json", action="store_true", help="print the figures as JSON")
    # Those of a client that walks the store by itself: here the store does, beside its cache.
    made.add_argument("--no-cache", action="store_true", help=SUPPRESS)
    made.add_argument("--maxreqs", type=count, metavar="N", help=SUPPRESS)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux gc`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        try:
            found = run(handle, args)
        except OSError as error:
            if error.errno == ENOSYS:
                raise OSError(ENOSYS, NO_COLLECTOR) from None
            raise
    show(found, args)
    return 0


def run(handle: Flux, args: Namespace) -> dict[str, Any]:
    """Has it done; returns the last figures."""
    found: dict[str, Any] = {}
    for found in handle.stream("content-backing.gc", nodeid=0):
        if args.verbose and found["phase"] in PHASES:
            percent = 100 * found["cursor"] // max(1, found["horizon"])
            print(f"{found['phase']}: {PHASES[found['phase']].format(**found, percent=percent)}", file=sys.stderr)
    return found


def show(found: dict[str, Any], args: Namespace) -> None:
    """Prints what was done."""
    if args.json:
        import msgspec

        print(msgspec.json.encode(found).decode())
        return
    print(f"marked {found['marked']} blobs, reclaimed {found['swept']} ({found['bytes']} bytes)")
    if args.verbose:
        print(f"file: {found['before']} bytes before, {found['size']} now, {found['free']} of them free")
