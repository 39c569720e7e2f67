"""`flux fsck`: checks that all that the key-value store leads to is there and whole, and repairs what can be."""

from argparse import ArgumentTypeError, Namespace
from errno import ENOENT, ENOSYS
from time import localtime, strftime
from typing import Any

from flux.base.blobref import is_blobref
from flux.base.liveroots import PRIMARY, namespace_of
from flux.commands.fsckrepair import Repair, key_value_store, say
from flux.commands.fsckwalk import Directory, Value, Walk
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux fsck                      check what the live roots lead to, while the session goes on
  flux fsck -v                   and show every key
  flux fsck -r sha1-...          what another root leads to
  flux fsck --repair             move what is left of damaged values to lost+found

The exit code is 1 if anything is damaged.
"""


def parser() -> Parser:
    """The options of `flux fsck`."""
    made = command_parser("fsck", "Check the key-value store in the backing store.", EXAMPLES)
    made.add_argument("-v", "--verbose", action="store_true", help="list the keys as they are checked")
    made.add_argument("-q", "--quiet", action="store_true", help="say only what is wrong")
    made.add_argument("-r", "--rootref", type=_blobref, metavar="BLOBREF", help="check what this root leads to")
    made.add_argument(
        "-R", "--repair", action="store_true", help="unlink what is lost; keep what is left of values in lost+found"
    )
    made.add_argument(
        "-j",
        "--job-aware",
        action="store_true",
        help="with --repair: if a key of a job is damaged, move all of the job",
    )
    return made


def main(argv: list[str]) -> int:
    """Runs `flux fsck`."""
    made = parser()
    args = made.parse_args(argv)
    if args.repair and args.rootref:
        made.error("--repair is of the live root: it cannot be used with --rootref")
    with Flux() as handle:
        if args.rootref:
            return int(check(handle, args, args.rootref, "") > 0)
        roots = live_roots(handle)
        if not args.quiet:
            print(f"Checking integrity of checkpoint from {strftime('%Y-%m-%dT%T', localtime(roots[0]['timestamp']))}")
        errors = sum(check(handle, args, root["rootref"], namespace_of(root)) for root in roots)
        if errors or args.verbose:
            say(f"Total errors: {errors}")
    return int(errors > 0)


def live_roots(handle: Flux) -> list[dict[str, Any]]:
    """The roots of all namespaces as the backing store has them, or as it is known of one that has only checkpoints."""
    try:
        found: list[dict[str, Any]] = handle.rpc("content-backing.roots", nodeid=0).get()["roots"]
        if found:
            return found
    except OSError as error:
        if error.errno != ENOSYS:
            raise
    return list(handle.rpc("content-backing.checkpoint-get", nodeid=0).get()["value"][:1])


def check(handle: Flux, args: Namespace, ref: str, namespace: str) -> int:
    """Checks what one root leads to, and repairs it if that is wanted; returns how much is wrong."""
    where = "" if namespace in ("", PRIMARY) else f"{namespace}::"
    walk = Walk(handle, lambda key: say(where + key) if args.verbose and not args.quiet else None)
    walk.run(ref)
    for value in walk.values:
        _report_value(where, value, args)
    for directory in walk.directories:
        _report_directory(where, directory)
    if args.repair and (walk.values or walk.directories):
        with key_value_store(handle):
            Repair(handle, args, namespace, where).run(walk)
    return len(walk.values) + len(walk.directories)


def _report_value(where: str, value: Value, args: Namespace) -> None:
    if args.verbose:
        for place, error in sorted(value.errors.items()):
            said = "missing blobref" if error.errno == ENOENT else "error retrieving blobref"
            more = "" if error.errno == ENOENT else f": {error.strerror}"
            say(f"{where}{value.key}: {said} index={place}{more}")
        return
    last = value.errors[max(value.errors)]
    missing = last.errno == ENOENT
    say(
        f"{where}{value.key}: " + ("missing blobref(s)" if missing else f"error retrieving blobref(s): {last.strerror}")
    )


def _report_directory(where: str, found: Directory) -> None:
    key = f"{where}{found.key or '.'}" + (f" (page from {found.page} on)" if found.page else "")
    missing = found.error.errno == ENOENT
    say(
        f"{key}: "
        + ("missing dirref blobref" if missing else f"error retrieving dirref blobref: {found.error.strerror}")
    )


def _blobref(text: str) -> str:
    if not is_blobref(text):
        raise ArgumentTypeError(f"'{text}' is not a blobref")
    return text
