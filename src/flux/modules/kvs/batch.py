"""Commits that become one root together, each on its own terms: one that is refused leaves no trace in the others."""

from errno import ENOTRECOVERABLE
from typing import Any

from flux.base.blobref import BlobHash
from flux.base.kvskey import normal
from flux.modules.kvs.commit import Draft, Made
from flux.modules.kvs.dirs import Dirs, View
from flux.modules.kvs.pages import Missing
from flux.modules.kvs.queue import Commit
from flux.modules.kvs.roots import Root


class Batch:
    """What `apply` says it lacks, `take` and `lose` take; then apply again."""

    def __init__(self, commits: list[Commit], root: Root, dirs: Dirs, hashed: BlobHash) -> None:
        self.commits = commits
        """In the end, those that were not refused."""
        self.refused: list[tuple[Commit, OSError]] = []
        self.made: Made | None = None
        self._root, self._hash = root, hashed
        self._view = View(dirs)
        self._lost: dict[str, OSError] = {}
        self._draft: Draft | None = None
        """What all commits have been applied to."""

    def apply(self) -> set[str]:
        """Applies all commits to the root. Returns the refs of directories that it lacks; if none, all is decided."""
        return self._apply() if self._draft is None else self._finish(self._draft)

    def _apply(self) -> set[str]:
        draft = Draft(self._root.ref, self._view.find, self._hash, self._root.namespace)
        missing: set[str] = set()
        kept: list[Commit] = []
        refused: list[tuple[Commit, OSError]] = []
        for commit in self.commits:
            try:
                lacks = draft.apply(commit.transaction.ops)
                for ref in lacks & self._lost.keys():
                    raise self._lost[ref]
                missing |= lacks
                kept.append(commit)
            except OSError as error:
                refused.append((commit, error))
        if missing:
            return missing
        self.commits, self.refused, self._draft = kept, refused, draft
        return self._finish(draft)

    def _finish(self, draft: Draft) -> set[str]:
        """Makes the root, unless pages are missing that small ones are to be joined with."""
        try:
            self.made = draft.finish()
        except Missing as lack:
            lost = [self._lost[ref] for ref in lack.refs if ref in self._lost]
            if not lost:
                return set(lack.refs)
            self.refused += [(commit, lost[0]) for commit in self.commits]
            self.commits = []
        return set()

    def take(self, ref: str, blob: bytes) -> None:
        """Takes a directory that was missing."""
        if not self._view.read(ref, blob):
            self.lose(ref, OSError(ENOTRECOVERABLE, f"{ref} is not a directory"))

    def lose(self, ref: str, error: OSError) -> None:
        """A directory cannot be had: refuses all who need it."""
        self._lost[ref] = error

    def event(self, ref: str, seq: int) -> dict[str, Any]:
        """What the event says of the new root."""
        keys = {normal(op.key): None for commit in self.commits for op in commit.transaction.ops}
        return {
            "namespace": self._root.namespace,
            "rootseq": seq,
            "rootref": ref,
            "names": [commit.name for commit in self.commits],
            "keys": keys,
            "owner": self._root.owner,
        }
