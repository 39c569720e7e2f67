"""One watcher: from what lookups found, root by root, to what it is told."""

from collections.abc import Callable
from errno import EINVAL, EISDIR, ENODATA, ENOENT
from typing import Any, NamedTuple, Protocol

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.base.treeobj import Treeobj
from flux.modules.kvs_watch.flags import APPEND, BY_BLOB, FULL, SENTINEL, STREAM, UNIQ, WAITCREATE, WATCH, lookup_flags
from flux.modules.kvs_watch.inorder import InOrder, Outbox

SHA1 = BlobHash()


class Found(NamedTuple):
    """What a lookup gave."""

    value: Treeobj | None
    errnum: int = 0
    text: str = ""
    compare: bool = False
    """Nobody knows whether the key was touched: it counts only if it differs."""


class Loaded(NamedTuple):
    """What the content store gave."""

    blob: bytes
    errnum: int = 0
    text: str = ""


class Ways(Protocol):
    """What a watcher has done for it."""

    def look(self, question: dict[str, Any], told: Callable[[Found], None]) -> None: ...  # by kvs.lookup-plus
    def load(self, ref: str, told: Callable[[Loaded], None]) -> None: ...
    def answer(self, value: Treeobj | None) -> None: ...  # None is the sentinel
    def end(self, errnum: int, text: str) -> None: ...


class Watcher:
    """Who asked for a key. What it looks at is taken in the order of the roots."""

    def __init__(self, key: str, flags: int, ways: Ways, window: int = 0) -> None:
        self.key, self.flags = key, flags
        self.ended = False
        """Whether it is known what it is told last: nothing that is found later counts."""
        self._ways = ways
        self._found = self._told = False
        """Whether the key was there, and whether the watcher has been told what was there at first, or nothing."""
        self._same = b""
        """What it was told last, as a digest."""
        self._count, self._first, self._last = 0, "", ""
        """Of a value in blobs: how many were seen, the first and the last of them."""
        self._inline: Treeobj | None = None
        """The value, as long as it is not in blobs."""
        self._lookups: InOrder[Found] = InOrder(self._take)
        self._outbox = Outbox(ways.load, self._part, window)

    @property
    def patient(self) -> bool:
        """Whether it waits for what is not there."""
        return bool(self.flags & WAITCREATE) and not self._found

    @property
    def every_root(self) -> bool:
        """Whether it looks at every root, whatever has changed."""
        return bool(self.flags & FULL)

    def look(self, ref: str, seq: int, *, compare: bool = False) -> None:
        """Looks at a root. `compare`: nobody knows whether it has changed the key."""
        come = self._lookups.expect()
        where = {"rootdir": treeobj.dirref(ref), "rootseq": seq}
        self._ways.look(
            {"key": self.key, "flags": lookup_flags(self.flags), **where},
            lambda found: come(found._replace(compare=compare)),
        )

    def fail(self, errnum: int, text: str = "") -> None:
        """There will be no more roots to look at."""
        self._lookups.expect()(Found(None, errnum, text))

    def credit(self, size: int) -> None:
        """It has dealt with so many bytes."""
        self._outbox.make_room(size)

    def close(self) -> None:
        """Nobody listens any more."""
        self.ended = True
        self._outbox.clear()

    # -- what was found ---------------------------------------------------------------------------------------------

    def _take(self, found: Found) -> None:
        if self.ended:
            return
        if found.value is None:
            self._nothing(found)
        elif self.flags & BY_BLOB:
            self._blobs(found.value, found.compare)
        else:
            self._whole(found.value, found.compare)
        if not self._told:
            self._told = True
            if self.flags & SENTINEL:
                self._outbox.put(lambda: self._ways.answer(None))

    def _nothing(self, found: Found) -> None:
        if found.errnum != ENOENT or not self.patient:
            self._end(found.errnum, found.text)

    def _whole(self, value: Treeobj, compare: bool) -> None:
        same = _digest(value)
        if same == self._same and (compare or self.flags & (FULL | UNIQ)):
            return
        self._same, self._found = same, True
        self._answer(value)
        if not self.flags & WATCH:
            self._end(ENODATA)

    def _blobs(self, value: Treeobj, compare: bool) -> None:
        """Tells what was appended since the last time."""
        if value["type"] == "valref" and self._follows(value["data"]):
            for ref in value["data"][self._count :]:
                self._outbox.put_blob(ref)
            self._seen(value["data"])
        elif value["type"] == "val" and not self._found:
            self._inline = value
            self._seen([""])
            self._answer(value)
        elif not (compare and value == self._inline):
            self._end(*self._wrong(value["type"]))
        if self.flags & STREAM:
            self._end(ENODATA)

    def _seen(self, refs: list[str]) -> None:
        self._found = True
        self._count, self._first, self._last = len(refs), refs[0], refs[-1]

    def _follows(self, refs: list[str]) -> bool:
        """Whether a value begins as the one before: its ends are compared, for it may be long."""
        if not self._found:
            return True
        if self._inline is not None:
            blob = treeobj.value_of(self._inline)
            self._first = self._last = BlobHash(refs[0].partition("-")[0]).blobref(blob)
            self._inline = None
        return len(refs) >= self._count and refs[0] == self._first and refs[self._count - 1] == self._last

    def _wrong(self, kind: str) -> tuple[int, str]:
        """Why a value cannot be told by its parts."""
        if self._found:
            return EINVAL, f"{self.key}: was truncated or overwritten while it was watched for what is appended"
        how = "watched for what is appended" if self.flags & APPEND else "streamed"
        return EISDIR if kind in ("dir", "dirref") else EINVAL, f"{self.key}: a {kind} cannot be {how}"

    # -- what it is told --------------------------------------------------------------------------------------------

    def _answer(self, value: Treeobj) -> None:
        self._outbox.put(lambda: self._ways.answer(value))

    def _part(self, loaded: Loaded) -> None:
        if loaded.errnum:
            self._ways.end(loaded.errnum, loaded.text)
        else:
            self._outbox.make_room(-len(loaded.blob))
            self._ways.answer(treeobj.val(loaded.blob))

    def _end(self, errnum: int, text: str = "") -> None:
        """The last thing that it is told."""
        self.ended = True
        self._outbox.put(lambda: self._ways.end(errnum, text))


def _digest(value: Treeobj) -> bytes:
    return SHA1.digest(treeobj.encode(value))
