"""`flux dump`: writes what is in the key-value store to an archive."""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import suppress
from errno import EINVAL
from time import time
from typing import Any

from flux.base import pagedir, treeobj
from flux.base.treeobj import Treeobj
from flux.commands import archive
from flux.commands.archive import Entry
from flux.commands.parser import Parser, command_parser, count
from flux.commands.progress import Progress
from flux.core.blobs import Blobs
from flux.core.handle import Flux

EXAMPLES = """\
  flux dump store.tar.gz         all keys and values; see `flux restore`
  flux dump - | tar t            a plain tar on standard output
  flux dump --checkpoint a.tgz   as of the last checkpoint, without the key-value store
"""


def parser() -> Parser:
    """The options of `flux dump`."""
    made = command_parser("dump", "Write the key-value store, as it is now, to an archive.", EXAMPLES)
    made.add_argument("-v", "--verbose", action="store_true", help="list keys on stderr as they are dumped")
    made.add_argument("-q", "--quiet", action="store_true", help="do not show how many keys have been dumped")
    made.add_argument("--checkpoint", action="store_true", help="dump the last checkpoint, not what is there now")
    made.add_argument("--no-cache", action="store_true", help="go past the caches to the backing store")
    made.add_argument("--maxreqs", type=count, default=16, metavar="N", help="requests at a time (default: 16)")
    made.add_argument("--ignore-failed-read", action="store_true", help="go on without what cannot be loaded")
    made.add_argument("outfile", metavar="OUTFILE", help="the archive: .tar .tgz .tar.bz2 .tar.xz .zip, or -")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux dump`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        ref, when = _root(handle, args)
        walk = Walk(Blobs(handle, most=max(1, args.maxreqs), bypass=args.no_cache), args)
        file = archive.writer(args.outfile, when)
        try:
            with Progress("archived {} keys", quiet=args.quiet or args.verbose) as progress:
                for entry in walk.below(ref):
                    file.add(entry)
                    progress.step()
            file.close()
        except BaseException:
            if args.outfile != "-":
                with suppress(OSError):
                    os.unlink(args.outfile)  # half an archive would pass for a whole one
            raise
    return 0


def _root(handle: Flux, args: Namespace) -> tuple[str, float]:
    """The root to dump, and the time that its files are of."""
    if args.checkpoint:
        found: dict[str, Any] = handle.rpc("content-backing.checkpoint-get", nodeid=0).get()["value"][0]
        return found["rootref"], found["timestamp"]
    return handle.rpc("kvs.getroot", {"namespace": "primary", "flags": 0}).get()["rootref"], time()


class Walk:
    """All values and links below a directory, in the order of their keys."""

    def __init__(self, blobs: Blobs, args: Namespace) -> None:
        self._blobs, self._args = blobs, args

    def below(self, ref: str, path: str = "") -> Iterator[Entry]:
        """The entries of a directory and of all below it. What is loaded next is asked for ahead."""
        for page in self._pages(ref, path):
            names = sorted(page)
            for at, name in enumerate(names):
                soon = names[at : at + self._args.maxreqs]
                all(self._blobs.want(ref) for later in soon for ref in _first(page[later]))
                yield from self._entry(page[name], f"{path}{name}")

    def _pages(self, ref: str, path: str) -> Iterator[Mapping[str, Treeobj]]:
        """A directory in one page, or in many."""
        blob = self._load(ref, path)
        if blob is None:
            return
        obj = _decoded(blob, path)
        if isinstance(obj, pagedir.Index):
            for row in obj.rows:
                yield from self._pages(row.ref, path)
        else:
            yield obj["data"]

    def _entry(self, obj: Treeobj, path: str) -> Iterator[Entry]:
        match obj["type"]:
            case "dirref":
                yield from self.below(obj["data"][0], f"{path}/")
            case "dir":
                for name in sorted(obj["data"]):
                    yield from self._entry(obj["data"][name], f"{path}/{name}")
            case "symlink":
                namespace, target = treeobj.link_of(obj)
                yield self._told(Entry(path, os.fsencode(f"{namespace}::{target}" if namespace else target), link=True))
            case "val":
                yield self._told(Entry(path, treeobj.value_of(obj)))
            case _:
                parts = [self._load(ref, path) for ref in obj["data"]]
                whole = [part for part in parts if part is not None]
                if len(whole) == len(parts):
                    yield self._told(Entry(path, b"".join(whole)))

    def _load(self, ref: str, path: str) -> bytes | None:
        try:
            return self._blobs.get(ref)
        except OSError as error:
            reason = f"{path or '.'}: {ref}: {error.strerror}"
            if not self._args.ignore_failed_read:
                raise OSError(error.errno, reason) from None
            print(f"flux-dump: {reason}", file=sys.stderr)
            return None

    def _told(self, entry: Entry) -> Entry:
        if self._args.verbose:
            print(entry.path, file=sys.stderr)
        return entry


def _first(obj: Treeobj) -> list[str]:
    """The blobs that an entry needs first."""
    return list(obj["data"]) if obj["type"] in ("dirref", "valref") else []


def _decoded(blob: bytes, path: str) -> Any:
    try:
        return treeobj.decode(blob)
    except ValueError:
        pass
    try:
        return pagedir.decode(blob)
    except ValueError:
        raise OSError(EINVAL, f"{path or '.'}: not a directory") from None
