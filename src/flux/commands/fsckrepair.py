"""What `flux fsck --repair` does: commits that leave out what is lost, and keep what is left in lost+found."""

import re
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST

from flux.base.treeobj import Treeobj
from flux.commands.fsckwalk import Walk
from flux.constants import FLUX_KVS_READDIR, FLUX_KVS_TREEOBJ
from flux.core.handle import Flux
from flux.kvs import KVSTxn, lookup

LOST = "lost+found"
JOB = re.compile(r"job(\.[0-9a-fA-F]{4}){4}(?=\.|$)")


def say(text: str) -> None:
    """Says something about a key, on stderr."""
    print(text, file=sys.stderr)


@contextmanager
def key_value_store(handle: Flux) -> Iterator[None]:
    """Repairs are commits: the key-value store is loaded for them where it is not."""
    ours = False
    try:
        handle.rpc("module.load", {"path": "kvs", "args": []}, nodeid=0).get()
        ours = True
    except OSError as error:
        if error.errno != EEXIST:
            raise
    try:
        yield
    finally:
        if ours:
            handle.rpc("module.remove", {"name": "kvs"}, nodeid=0).get()


class Repair:
    """Commits what makes one namespace whole again."""

    def __init__(self, handle: Flux, args: Namespace, namespace: str, where: str) -> None:
        self._handle, self._args, self._namespace, self._where = handle, args, namespace, where
        self._txn = KVSTxn(handle, namespace=namespace)

    def run(self, walk: Walk) -> None:
        """Values first; of directories only what could not be read is given up."""
        values = [value for value in walk.values if value.lost]
        for value in values:
            self._txn.stage(f"{LOST}.{value.key}", value.rest())
            self._txn.unlink(value.key)
            self._note(f"{self._where}{value.key} repaired and moved to {LOST}")
        gone = [found for found in walk.directories if found.key and not found.page]
        for found in gone:
            self._txn.unlink(found.key)
            self._note(f"{self._where}{found.key} unlinked due to missing blobref")
        self._txn.commit()
        if self._args.job_aware:
            self._move_jobs(value.key for value in values)
        for found in walk.directories:
            if not found.key or found.page:
                say(f"{self._where}{found.key or '.'}: cannot be repaired")
        say(f"Total repairs: {len(values)}")
        say(f"Total unlinked directories: {len(gone)}")

    def _note(self, text: str) -> None:
        if not self._args.quiet:
            say(text)

    def _move_jobs(self, keys: Iterator[str]) -> None:
        for job in sorted({match[0] for match in map(JOB.match, keys) if match}):
            with suppress(FileNotFoundError):  # nothing is left of some jobs
                self._move(job, lookup(self._handle, job, FLUX_KVS_READDIR, self._namespace))
                self._txn.unlink(job)
            self._txn.commit()
            self._note(f"{self._where}{job} moved to {LOST}")

    def _move(self, key: str, directory: Treeobj) -> None:
        for name, entry in directory["data"].items():
            below = f"{key}.{name}"
            if entry["type"] in ("dir", "dirref"):
                self._move(below, lookup(self._handle, below, FLUX_KVS_READDIR, self._namespace))
            else:
                found = lookup(self._handle, below, FLUX_KVS_TREEOBJ, self._namespace)
                self._txn.stage(f"{LOST}.{below}", found)
