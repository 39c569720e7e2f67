"""`flux content`: blobs of the content store, by their blobrefs."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from errno import EBUSY, EINVAL, ENOSYS
from typing import Any

from flux.base.blobref import BlobHash, is_blobref
from flux.commands.parser import Parser, command_parser, count
from flux.core.blobs import Blobs
from flux.core.handle import Flux

EXAMPLES = """\
  flux content store <file             prints the blobref
  flux content load BLOBREF >file
  flux content checkpoint list
  flux content COMMAND --help          the options of one command
"""


def parser() -> Parser:
    """The options of `flux content`."""
    made = command_parser("content", "Store and load blobs of any data.", EXAMPLES)
    commands = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _load(commands)
    _store(commands)
    for name, text in (
        ("flush", "wait until this broker's cache has handed on all blobs"),
        ("dropcache", "let this broker's cache forget what can be had again"),
    ):
        _command(commands, name, text, f"flux content {name}").set_defaults(do=_tell)
    _checkpoint(commands)
    return made


def main(argv: list[str]) -> int:
    """Runs `flux content`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        args.do(handle, args)
    return 0


def _command(commands: Any, name: str, text: str, example: str) -> Parser:
    made: Parser = commands.add_parser(name, help=text)
    made.description, made.epilog = f"{text[:1].upper()}{text[1:]}.", f"example:\n  {example}"
    made.set_defaults(command=name)
    return made


def _bypass(made: Parser) -> None:
    made.add_argument("-b", "--bypass-cache", action="store_true", help="go past the caches to the backing store")


# -- load, store -------------------------------------------------------------------------------------------------------


def _load(commands: Any) -> None:
    made = _command(commands, "load", "write blobs to standard output", "flux content load BLOBREF")
    _bypass(made)
    made.add_argument("blobrefs", nargs="*", metavar="BLOBREF", help="without any, they are read from standard input")
    made.set_defaults(do=load)


def load(handle: Flux, args: Namespace) -> None:
    """Runs `flux content load`."""
    refs = args.blobrefs or sys.stdin.read().split()
    if not refs:
        raise OSError(EINVAL, "no blobrefs were specified")
    for ref in refs:
        if not is_blobref(ref):
            raise OSError(EINVAL, f"'{ref}' is not a blobref")
    blobs = Blobs(handle, bypass=args.bypass_cache)
    for at, ref in enumerate(refs):
        all(blobs.want(later) for later in refs[at:])
        sys.stdout.buffer.write(blobs.get(ref))
    sys.stdout.buffer.flush()


def _store(commands: Any) -> None:
    made = _command(commands, "store", "store standard input, and print the blobref", "flux content store <file")
    _bypass(made)
    made.add_argument("--chunksize", type=count, default=0, metavar="N", help="blobs of N bytes at most (0: no limit)")
    made.set_defaults(do=store)


def store(handle: Flux, args: Namespace) -> None:
    """Runs `flux content store`."""
    hashed = BlobHash(handle.attr_get("content.hash"))
    blobs = Blobs(handle, bypass=args.bypass_cache)
    for blob in _chunks(args.chunksize):
        blobs.store(blob)
        print(hashed.blobref(blob), flush=True)
    blobs.flush()


def _chunks(size: int) -> Iterator[bytes]:
    """Standard input, cut; what is empty is one empty blob."""
    yield sys.stdin.buffer.read(size) if size else sys.stdin.buffer.read()
    while size and (blob := sys.stdin.buffer.read(size)):
        yield blob


def _tell(handle: Flux, args: Namespace) -> None:
    handle.rpc(f"content.{args.command}").get()


# -- checkpoints -------------------------------------------------------------------------------------------------------


def _checkpoint(commands: Any) -> None:
    made = commands.add_parser("checkpoint", help="list checkpoints of the key-value store, or set one")
    made.description = "Roots of the key-value store that the backing store remembers."
    made.epilog = "example:\n  flux content checkpoint list"
    more = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listed = _command(more, "list", "list the checkpoints, the latest first", "flux content checkpoint list")
    listed.add_argument("-n", "--no-header", action="store_true", help="without the titles of the columns")
    listed.add_argument("-j", "--json", action="store_true", help="as JSON, one in each line")
    listed.set_defaults(do=show_checkpoints)
    update = _command(
        more, "update", "make a blob the root that the store begins with", "flux content checkpoint update BLOBREF"
    )
    update.add_argument("blobref", metavar="BLOBREF")
    update.set_defaults(do=update_checkpoint)


def show_checkpoints(handle: Flux, args: Namespace) -> None:
    """Runs `flux content checkpoint list`."""
    from time import gmtime, strftime

    import msgspec

    found = handle.rpc("content.checkpoint-get").get()["value"]
    if not (args.no_header or args.json):
        print(f"{'Index':<10} {'Sequence':<10} {'Time':<20} Rootref")
    for index, one in enumerate(found):
        if args.json:
            print(msgspec.json.encode(one).decode())
        else:
            when = strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(one["timestamp"]))
            print(f"{index:<10} {one['sequence']:<10} {when:<20} {one['rootref']}")


def update_checkpoint(handle: Flux, args: Namespace) -> None:
    """Runs `flux content checkpoint update`."""
    if not is_blobref(args.blobref):
        raise OSError(EINVAL, f"'{args.blobref}' is not a blobref")
    put_checkpoint(handle, args.blobref, "updating checkpoint")


def put_checkpoint(handle: Flux, ref: str, what: str) -> None:
    """Makes a root the one that the key-value store begins with; EBUSY if that has begun already."""
    from time import time

    if _kvs_runs(handle):
        raise OSError(EBUSY, f"please unload kvs module before {what}")
    value = {"version": 1, "rootref": ref, "sequence": 0, "timestamp": time()}
    handle.rpc("content-backing.checkpoint-put", {"value": value}, nodeid=0).get()


def _kvs_runs(handle: Flux) -> bool:
    try:
        handle.rpc("kvs.getroot", {"namespace": "primary", "flags": 0}, nodeid=0).get()
    except OSError as error:
        return error.errno != ENOSYS
    return True
