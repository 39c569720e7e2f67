"""A walk through all that a root leads to, past every cache: what is missing, what is damaged, under which key."""

from collections import deque
from collections.abc import Callable
from errno import EINVAL, EIO, ENOENT, ENOSYS
from typing import Any, NamedTuple

from flux.base import pagedir, treeobj
from flux.base.blobref import digest
from flux.base.invalid import Invalid
from flux.base.pagedir import Index
from flux.base.treeobj import Treeobj
from flux.core.handle import Flux
from flux.rpc import RPC

WINDOW = 200
"""Requests that are under way at once."""
LOST = (ENOENT, EIO)
"""What the store says of a blob that is missing, or that is another one: it will not come back."""


class Value(NamedTuple):
    """A value of which some blobs are lost."""

    key: str
    entry: Treeobj
    errors: dict[int, OSError]
    """By their place in the value."""

    @property
    def lost(self) -> bool:
        """Whether they are gone for good, all of them."""
        return all(error.errno in LOST for error in self.errors.values())

    def rest(self) -> Treeobj:
        """The value without them."""
        left = [ref for place, ref in enumerate(self.entry["data"]) if place not in self.errors]
        return treeobj.valref(left) if left else treeobj.val(b"")


class Directory(NamedTuple):
    """A directory that cannot be read, or, with a name, a page of it that begins with that name."""

    key: str
    error: OSError
    page: str = ""


class Walk:
    """Visits every key below a root, in no certain order. `visit` hears each key that it comes to."""

    def __init__(self, handle: Flux, visit: Callable[[str], None]) -> None:
        self.values: list[Value] = []
        self.directories: list[Directory] = []
        self._handle, self._visit = handle, visit
        self._todo: list[Callable[[], None]] = []
        self._asked: deque[tuple[RPC, Callable[[RPC], None]]] = deque()

    def run(self, ref: str) -> None:
        """Walks. What is wrong is in `values` and `directories` then."""
        self._open("", ref, "")
        while self._todo or self._asked:
            while self._todo and len(self._asked) < WINDOW:
                self._todo.pop()()
            rpc, told = self._asked.popleft()
            told(rpc)

    def _ask(self, method: str, ref: str, told: Callable[[RPC], None]) -> None:
        self._asked.append((self._handle.rpc(f"content-backing.{method}", digest(ref), nodeid=0), told))

    # -- directories ------------------------------------------------------------------------------------------------

    def _open(self, key: str, ref: str, page: str) -> None:
        def told(rpc: RPC) -> None:
            try:
                self._enter(key, _directory(rpc.get_bytes()))
            except OSError as error:
                self.directories.append(Directory(key, error, page))

        self._ask("load", ref, told)

    def _enter(self, key: str, found: Treeobj | Index) -> None:
        if isinstance(found, Index):
            self._todo += (_later(self._open, key, row.ref, row.first) for row in found.rows)
            return
        for name, entry in found["data"].items():
            self._look(f"{key}.{name}" if key else name, entry)

    def _look(self, key: str, entry: Treeobj) -> None:
        self._visit(key)
        if entry["type"] == "dir":
            self._enter(key, entry)
        elif entry["type"] == "dirref":
            self._todo.append(_later(self._open, key, entry["data"][0], ""))
        elif entry["type"] == "valref":
            self._todo.append(lambda: self._check(key, entry))

    # -- values -----------------------------------------------------------------------------------------------------

    def _check(self, key: str, entry: Treeobj) -> None:
        errors: dict[int, OSError] = {}
        last = len(entry["data"]) - 1

        def check(place: int) -> None:
            def told(rpc: RPC) -> None:
                try:
                    _validated(rpc)
                except OSError as error:
                    errors[place] = error
                if place == last and errors:
                    self.values.append(Value(key, entry, errors))

            self._ask("validate", entry["data"][place], told)

        for place in range(last + 1):
            check(place)


def _later(do: Callable[..., None], *args: Any) -> Callable[[], None]:
    return lambda: do(*args)


def _validated(rpc: RPC) -> None:
    try:
        rpc.get_bytes()
    except OSError as error:
        if error.errno == ENOSYS:
            raise OSError(ENOSYS, "there is no backing store that could be checked") from None
        raise


def _directory(blob: bytes) -> Treeobj | Index:
    """Reads a directory, or an index of its pages. OSError(EINVAL) says what it is instead."""
    try:
        found = treeobj.decode(blob)
    except Invalid as error:
        try:
            return pagedir.decode(blob)
        except Invalid:
            raise error from None
    if found["type"] != "dir":
        raise OSError(EINVAL, f"a reference to a directory leads to a {found['type']}")
    return found
