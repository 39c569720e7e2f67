"""One namespace on rank 0: its commits become one root after the other. What is to be done goes by its `Ways`."""

from collections.abc import Callable, Iterable
from errno import EIO, ENOTSUP
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from flux.base.blobref import BlobHash
from flux.modules.kvs.batch import Batch
from flux.modules.kvs.commit import Made
from flux.modules.kvs.dirs import Dirs
from flux.modules.kvs.queue import Commit, Queue
from flux.modules.kvs.roots import Root
from flux.modules.kvs.transaction import LAZY, SYNC
from flux.wire.message import Response

if TYPE_CHECKING:
    from flux.service.call import Call

LAZILY = 0.02
"""Seconds from one lazy commit to the next, if there are many: those that come meanwhile share a root."""
BURST = 5
"""Lazy commits that go at once, after a time with none: a single job does not wait."""

Told = Callable[[Response], None]


class Asker(Protocol):
    """Who lacks blobs."""

    def take(self, ref: str, blob: bytes) -> None: ...
    def lose(self, ref: str, error: OSError) -> None: ...


class Ways(Protocol):
    """What a committer has done for it."""

    def fetch(self, refs: Iterable[str], asker: Asker, again: Callable[[], None]) -> None: ...
    def store(self, blobs: dict[str, bytes], root: dict[str, Any], told: Told) -> None: ...
    def sync(self, root: dict[str, Any], told: Told) -> None: ...
    def moved(self, root: Root, told: dict[str, Any]) -> None: ...  # publishes it
    def failed(self, namespace: str, names: list[str], errnum: int) -> None: ...  # publishes it
    def later(self, do: Callable[[], None]) -> None: ...  # at the end of this turn of the loop
    def after(self, seconds: float, do: Callable[[], None]) -> None: ...
    def bug(self, call: "Call | None") -> None: ...
    def checkpoint(self, root: Root, ref: str, seq: int) -> dict[str, Any]: ...


class Committer:
    """Takes commits; all that have come in one turn of the loop, or while the store was busy, make the next root."""

    def __init__(self, root: Root, dirs: Dirs, hashed: BlobHash, ways: Ways) -> None:
        self.root = root
        self.unchanged = 0
        """Roots that were as those before."""
        self.closed = False
        self._dirs, self._hash, self._ways = dirs, hashed, ways
        self._queue = Queue()
        self._busy = self._woken = False
        self._hurried = False
        """Whether somebody does not wait."""
        self._lately = 0
        """Lazy commits that went a moment ago."""

    @property
    def busy(self) -> bool:
        """Whether a root is on its way."""
        return self._busy

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, commit: Commit) -> None:
        """Takes a commit."""
        self._queue.put(commit)
        self._hurried |= not commit.transaction.flags & LAZY
        self._wake()

    def close(self) -> None:
        """The namespace is gone: refuses all commits."""
        self.closed = True
        while commits := self._queue.take():
            self._refuse([(commit, OSError(ENOTSUP, f"namespace {self.root.namespace} is gone")) for commit in commits])

    # -- inside -----------------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        if self._woken or self._busy:
            return
        if self._queue and not self._hurried and self._lately < BURST:
            self._hurried = True
            self._lately += 1
            if self._lately == 1:
                self._ways.after(LAZILY, self._rested)
        if self._hurried:
            self._woken = True
            self._ways.later(self._turn)

    def _rested(self) -> None:
        self._lately -= 1
        if self._lately:
            self._ways.after(LAZILY, self._rested)
        self._wake()

    def _turn(self) -> None:
        self._woken = False
        commits = self._queue.take()
        self._hurried = bool(self._queue)
        if commits:
            self._busy = True
            self._apply(Batch(commits, self.root, self._dirs, self._hash))

    def _apply(self, batch: Batch) -> None:
        try:
            missing = batch.apply()
        except Exception:
            for commit in batch.commits:
                self._ways.bug(commit.call)
            self._done()
            return
        if missing:
            self._ways.fetch(missing, batch, partial(self._apply, batch))
            return
        self._refuse(batch.refused)
        made = batch.made
        if made is None or not batch.commits:
            self._done()
            return
        self.unchanged += not made.blobs
        self._ways.store(made.blobs, self._checkpoint(made), partial(self._stored, batch, made))

    def _checkpoint(self, made: Made) -> dict[str, Any]:
        return self._ways.checkpoint(self.root, made.ref, self.root.seq + 1)

    def _stored(self, batch: Batch, made: Made, response: Response) -> None:
        """The blobs are safe: the root may move."""
        if not response.errnum and batch.commits[0].transaction.flags & SYNC:
            self._ways.sync(self._checkpoint(made), partial(self._synced, batch, made))
        else:
            self._synced(batch, made, response)

    def _synced(self, batch: Batch, made: Made, response: Response) -> None:
        if response.errnum:
            error = OSError(response.errnum, response.text())
            self._refuse([(commit, error) for commit in batch.commits])
        elif self.closed:
            self._refuse([(commit, OSError(ENOTSUP, "the namespace is gone")) for commit in batch.commits])
        else:
            self._move(batch, made)
        self._done()

    def _move(self, batch: Batch, made: Made) -> None:
        for ref, page in made.dirs.items():
            self._dirs.put(ref, page, len(made.blobs[ref]))
        for ref in made.replaced:
            self._dirs.retire(ref)
        self.root.move(made.ref, self.root.seq + 1)
        self._ways.moved(self.root, batch.event(self.root.ref, self.root.seq))
        for commit in batch.commits:
            if commit.call is not None:
                commit.call.respond(self.root.version())

    def _refuse(self, refused: Iterable[tuple[Commit, OSError]]) -> None:
        for commit, error in refused:
            if commit.call is not None:
                commit.call.refuse(error.errno or EIO, error.strerror or "")
            else:
                self._ways.failed(self.root.namespace, [commit.name], error.errno or EIO)

    def _done(self) -> None:
        self._busy = False
        if self._queue:
            self._wake()
