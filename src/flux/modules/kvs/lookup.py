"""From a root and a key to what is there: walks directories at hand, says which blobs it lacks, follows symlinks."""

from collections.abc import Callable
from errno import EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENOTRECOVERABLE

from flux.base import treeobj
from flux.base.kvskey import ROOT, normal
from flux.base.treeobj import Treeobj
from flux.modules.kvs.dirs import Dirs, View
from flux.modules.kvs.pages import Entries, Missing, entries, entry

READDIR, READLINK, TREEOBJ = 1, 2, 16
"""Flags: a directory, the link itself, the tree object as it is."""
MAX_DEPTH = 10
"""Symlinks within symlinks."""


class Lookup:
    """One question. What `answer` says it lacks, `take` and `lose` take; then ask again."""

    __slots__ = ("_blobs", "_large", "_lost", "_rootrefs", "_values", "_view", "flags", "key", "root", "seq")

    def __init__(self, key: str, flags: int, dirs: Dirs, rootrefs: Callable[[str], str], large: int = 0) -> None:
        self.key, self.flags = normal(key), flags
        self._large = large
        """Bytes of a value beyond which its references are the answer; 0 is no limit."""
        self.root, self.seq = "", -1
        self._blobs: dict[str, bytes] = {}
        self._values: list[str] = []
        """Blobs that are parts of a value, not directories."""
        self._lost: OSError | None = None
        self._view: Dirs | View = dirs
        self._rootrefs = rootrefs

    def below(self, root: str, seq: int) -> "Lookup":
        """Says which snapshot is meant. Returns the lookup."""
        self.root, self.seq = root, seq
        return self

    def take(self, ref: str, blob: bytes) -> None:
        """Takes a blob that was missing."""
        if ref in self._values:
            self._blobs[ref] = blob
            return
        if isinstance(self._view, Dirs):
            self._view = View(self._view)
        if not self._view.read(ref, blob):
            self._lost = OSError(EINVAL if ref == self.root else ENOTRECOVERABLE, f"{ref} is not a directory")

    def lose(self, ref: str, error: OSError) -> None:
        """A blob cannot be had: that is the answer."""
        self._lost = error

    def answer(self) -> Treeobj:
        """What is there. Raises Missing, or OSError as the flags want it: ENOENT EISDIR ENOTDIR EINVAL ELOOP."""
        if self._lost is not None:
            raise self._lost
        if self.key == ROOT:
            return self._root()
        found = self._walk(self.root, self.key, 0)
        if found is None:
            raise OSError(ENOENT, f"{self.key}: No such file or directory")
        return found if self.flags & TREEOBJ else self._content(found)

    def _root(self) -> Treeobj:
        if self.flags & TREEOBJ:
            return treeobj.dirref(self.root)
        if not self.flags & READDIR:
            raise OSError(EISDIR, f"{self.key}: Is a directory")
        return treeobj.directory(self._entries(treeobj.dirref(self.root)))

    def _walk(self, root: str, path: str, depth: int) -> Treeobj | None:
        """The entry at a path, with the links on the way followed."""
        here: Treeobj = treeobj.dirref(root)
        names = path.split(".")
        for at, name in enumerate(names, 1):
            if here["type"] in ("val", "valref"):
                return None
            found = self._entry(here, name)
            if found is not None and found["type"] == "symlink":
                # Whoever asks for the link itself gets it, unless the link was come to by another one.
                if at == len(names) and not depth and self.flags & (READLINK | TREEOBJ):
                    return found
                found = self._followed(found, root, depth)
            if found is None:
                return None
            here = found
        return here

    def _followed(self, link: Treeobj, root: str, depth: int) -> Treeobj | None:
        if depth == MAX_DEPTH:
            raise OSError(ELOOP, f"{self.key}: Too many levels of symbolic links")
        namespace, target = treeobj.link_of(link)
        if namespace is not None:
            root = self._rootrefs(namespace)
        path = normal(target)
        return treeobj.dirref(root) if path == ROOT else self._walk(root, path, depth + 1)

    def _entry(self, obj: Treeobj, name: str) -> Treeobj | None:
        if obj["type"] == "dir":
            found: Treeobj | None = obj["data"].get(name)
            return found
        return entry(self._view.find, self._ref(obj), name)

    def _entries(self, obj: Treeobj) -> Entries:
        if obj["type"] == "dir":
            found: Entries = obj["data"]
            return found
        return entries(self._view.find, self._ref(obj))

    def _ref(self, obj: Treeobj) -> str:
        if obj["type"] != "dirref" or len(obj["data"]) != 1:
            raise OSError(ENOTRECOVERABLE, f"{self.key}: {obj['type']} in place of a directory")
        return str(obj["data"][0])

    def _content(self, obj: Treeobj) -> Treeobj:
        """What the entry stands for, if the flags ask for that."""
        kind = obj["type"]
        if kind == "symlink":
            wrong = ENOTDIR if self.flags & READDIR else 0
        elif self.flags & READLINK:
            wrong = EINVAL
        elif kind in ("dir", "dirref"):
            wrong = 0 if self.flags & READDIR else EISDIR
        else:
            wrong = ENOTDIR if self.flags & READDIR else 0
        if wrong:
            raise OSError(wrong, f"{self.key}: is a {kind}")
        if kind == "dirref":
            return treeobj.directory(self._entries(obj))
        return self._value(obj) if kind == "valref" else obj

    def _value(self, obj: Treeobj) -> Treeobj:
        if not self._blobs:
            self._values = list(dict.fromkeys(obj["data"]))
            raise Missing(self._values)
        if self._large and sum(len(self._blobs[ref]) for ref in obj["data"]) > self._large:
            return obj
        return treeobj.val(b"".join(self._blobs[ref] for ref in obj["data"]))
