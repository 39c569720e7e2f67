"""`flux restore`: reads keys and values from an archive."""

import os
import sys
from argparse import Namespace
from errno import EINVAL
from itertools import islice

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.commands import archive
from flux.commands.archive import Entry
from flux.commands.content import put_checkpoint
from flux.commands.parser import Parser, command_parser, count, size
from flux.commands.progress import Progress
from flux.core.blobs import Blobs
from flux.core.handle import Flux
from flux.kvs import KVSTxn
from flux.modules.kvs.commit import MAX_INLINE, Draft
from flux.modules.kvs.pages import LIMITS, Limits, Page, parse
from flux.modules.kvs.transaction import Op

EXAMPLES = """\
  flux restore --key=old store.tar.gz       what was the root becomes the directory `old`
  flux restore --checkpoint store.tar.gz    the root of the next start of the key-value store
"""
BATCH = 1000
"""Keys that are put into directories at a time."""


def parser() -> Parser:
    """The options of `flux restore`."""
    made = command_parser("restore", "Read an archive that `flux dump` has written into the key-value store.", EXAMPLES)
    made.add_argument("-v", "--verbose", action="store_true", help="list keys on stderr as they are restored")
    made.add_argument("-q", "--quiet", action="store_true", help="do not show how many keys have been restored")
    where = made.add_mutually_exclusive_group(required=True)
    where.add_argument("--checkpoint", action="store_true", help="as the root that the key-value store begins with")
    where.add_argument("--key", metavar="NAME", help="as a directory of the key-value store")
    made.add_argument("--no-cache", action="store_true", help="go past the caches to the backing store")
    made.add_argument("--size-limit", type=size, default=0, metavar="SIZE", help="leave out values over SIZE bytes")
    made.add_argument("--maxreqs", type=count, default=256, metavar="N", help="requests at a time (default: 256)")
    made.add_argument("infile", metavar="INFILE", help="the archive, `-` for a tar on standard input")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux restore`."""
    args = parser().parse_args(argv)
    with Flux() as handle, archive.damaged(args.infile):
        ref = Restoring(handle, args).run()
        if args.checkpoint:
            put_checkpoint(handle, ref, "using --checkpoint")
        else:
            with KVSTxn(handle) as txn:
                txn.stage(args.key, treeobj.dirref(ref))
        if not args.quiet:
            where = "the checkpoint for the next start" if args.checkpoint else f"key {args.key}"
            print(f"flux-restore: {ref} is {where}", file=sys.stderr)
    return 0


class Restoring:
    """Makes directories of an archive's paths, here, and stores all blobs; then the root has only to be told of."""

    def __init__(self, handle: Flux, args: Namespace) -> None:
        self._args = args
        self._blobs = Blobs(handle, most=max(1, args.maxreqs), bypass=args.no_cache)
        self._hash = BlobHash(handle.attr_get("content.hash"))
        empty = treeobj.encode(treeobj.directory())
        self._blobs.store(empty)
        self._pages: dict[str, Page] = {self._hash.blobref(empty): parse(empty) or {}}
        self._draft = Draft(next(iter(self._pages)), self._pages.get, self._hash, "primary", _limits(handle))

    def run(self) -> str:
        """Reads everything; returns the ref of the root."""
        entries = archive.read(self._args.infile, self._args.size_limit)
        with Progress("restored {} keys", quiet=self._args.quiet or self._args.verbose) as progress:
            while batch := list(islice(entries, BATCH)):
                ops = [op for entry in batch if (op := self._op(entry)) is not None]
                self._draft.apply(ops)
                for _ in ops:
                    progress.step()
        made = self._draft.finish()
        for blob in made.blobs.values():
            self._blobs.store(blob)
        self._blobs.flush()
        return made.ref

    def _op(self, entry: Entry) -> Op | None:
        key = _key(entry.path)
        if entry.size:
            print(f"flux-restore: {entry.path} exceeds {self._args.size_limit} bytes, skipping", file=sys.stderr)
            return None
        if self._args.verbose:
            said = f" -> {os.fsdecode(entry.data)}" if entry.link else ""
            print(f"{entry.path}{said}", file=sys.stderr)
        if entry.link:
            namespace, _, target = os.fsdecode(entry.data).rpartition("::")
            return Op(key, 0, treeobj.symlink(target, namespace or None))
        obj = treeobj.val(entry.data)
        if len(obj["data"]) > MAX_INLINE:
            self._blobs.store(entry.data)
            obj = treeobj.valref([self._hash.blobref(entry.data)])
        return Op(key, 0, obj)


def _key(path: str) -> str:
    names = [name for name in path.split("/") if name not in ("", ".")]
    if not names or any("." in name for name in names):
        raise OSError(EINVAL, f"{path}: not the path of a key")
    return ".".join(names)


def _limits(handle: Flux) -> Limits:
    """Other brokers than ours know no pages."""
    try:
        handle.rpc("content.roots", nodeid=0).get()
    except OSError:
        return LIMITS._replace(flat=sys.maxsize)
    return LIMITS
