"""From one root to the next: operations on directories in memory. Says which blobs it lacks and which it made."""

from collections.abc import Iterable
from errno import EINVAL, EISDIR, ELOOP, ENOTRECOVERABLE, EOPNOTSUPP, EPROTO
from typing import Any, NamedTuple

from flux.base import treeobj
from flux.base.blobref import BlobHash
from flux.base.kvskey import ROOT, normal
from flux.base.treeobj import Treeobj
from flux.modules.kvs.pages import LIMITS, Find, Limits, Missing, Page, Rewriting, at_hand, entry
from flux.modules.kvs.transaction import APPEND, Op

MAX_INLINE = 72
"""Characters of base64 that a value may have to live in its directory."""
MAX_LINKS = 10
"""Symlinks that one key may lead through."""

_GONE = object()


class Made(NamedTuple):
    """What a draft became."""

    ref: str
    blobs: dict[str, bytes]
    dirs: dict[str, Page]
    replaced: list[str]
    """Directories that newer versions took the place of."""


class Node:
    """A directory being changed."""

    __slots__ = ("changes", "open", "ref")

    def __init__(self, ref: str = "") -> None:
        self.changes: dict[str, Treeobj | None] = {}
        self.open: dict[str, Node] = {}
        """Subdirectories being changed; what else is said of their names is old."""
        self.ref = ref


class Draft:
    """The next root. Each `apply` changes it by a whole transaction or not at all."""

    def __init__(self, root: str, find: Find, hashed: BlobHash, namespace: str, limits: Limits = LIMITS) -> None:
        self._find, self._hash, self._namespace, self._limits = find, hashed, namespace, limits
        self._rootref = root
        self._root: Node | None = None
        self._blobs: dict[str, bytes] = {}
        self._made = Made(root, self._blobs, {}, [])
        self._undo: list[tuple[dict[str, Any], str, Any]] = []

    def apply(self, ops: Iterable[Op]) -> set[str]:
        """Applies a transaction, or refuses it by OSError. Returns what directories it lacks; then nothing changed."""
        missing: set[str] = set()
        self._undo.clear()
        try:
            for op in ops:
                try:
                    self._do(op)
                except Missing as lack:
                    missing.update(lack.refs)
        except OSError:
            self._roll_back()
            raise
        if missing:
            self._roll_back()
        return missing

    def finish(self) -> Made:
        """Hashes what has changed; nothing is applied any more. Raises Missing: have it, then finish again."""
        if self._root is None:
            return self._made
        nodes = [self._root]
        for node in nodes:
            nodes.extend(node.open.values())
        for node in reversed(nodes):
            self._fold(node)
        return self._made._replace(ref=self._root.ref)

    # -- one operation ----------------------------------------------------------------------------------------------

    def _do(self, op: Op) -> None:
        key, dirent = normal(op.key), op.dirent
        if key == ROOT:
            raise OSError(EINVAL, "the root cannot be replaced")
        if op.flags & ~APPEND:
            raise OSError(EINVAL, f"{key}: unknown flags {op.flags}")
        if dirent is not None:
            treeobj.validate(dirent)
            if op.flags & APPEND and dirent["type"] != "val":
                raise OSError(EPROTO, f"{key}: only a val can be appended")
        found = self._parent(key, create=dirent is not None)
        if found is None:
            return
        node, name = found
        if dirent is None:
            self._drop(node.open, name)
            if self._entry(node, name) is not None:
                self._set(node.changes, name, None)
        elif op.flags & APPEND:
            self._append(node, name, dirent, key)
        else:
            self._put(node, name, dirent)

    def _parent(self, key: str, *, create: bool) -> tuple[Node, str] | None:
        """The directory of a key, and the name in it; None if there is none and none may be made."""
        for _ in range(MAX_LINKS + 1):
            node, names = self._top(), key.split(".")
            for at, name in enumerate(names[:-1], 1):
                child = self._child(node, name, create)
                if child is None:
                    return None
                if not isinstance(child, Node):
                    key = normal(self._target(child, key) + "." + ".".join(names[at:]))
                    break
                node = child
            else:
                return node, names[-1]
        raise OSError(ELOOP, f"{key}: too many levels of symbolic links")

    def _top(self) -> Node:
        if self._root is None:
            self._root = self._opened(self._rootref)
        return self._root

    def _opened(self, ref: str) -> Node:
        at_hand(self._find, ref)
        return Node(ref)

    def _entry(self, node: Node, name: str) -> Treeobj | None:
        if name in node.changes:
            return node.changes[name]
        return entry(self._find, node.ref, name) if node.ref else None

    def _child(self, node: Node, name: str, create: bool) -> "Node | Treeobj | None":
        """The subdirectory of that name, the symlink in its place, or None."""
        child = node.open.get(name)
        if child is not None:
            return child
        found = self._entry(node, name)
        kind = found["type"] if found is not None else ""
        if found is not None and kind == "symlink":
            return found
        if found is not None and kind == "dirref":
            if len(found["data"]) != 1:
                raise OSError(ENOTRECOVERABLE, f"{name}: directory of {len(found['data'])} blobs")
            child = self._opened(found["data"][0])
        elif not create:
            return None
        else:
            # A value in the way of a directory is replaced by it.
            child = Node()
        self._set(node.open, name, child)
        return child

    def _target(self, link: Treeobj, key: str) -> str:
        namespace, target = treeobj.link_of(link)
        if namespace not in (None, self._namespace):
            raise OSError(EINVAL, f"{key}: leads into namespace {namespace}")
        return target

    # -- changes, and how to take them back -------------------------------------------------------------------------

    def _put(self, node: Node, name: str, obj: Treeobj) -> None:
        if obj["type"] == "dir":
            self._set(node.open, name, self._adopted(obj))
            return
        if obj["type"] == "val" and len(obj["data"]) > MAX_INLINE:
            obj = treeobj.valref([self._blob(obj)])
        self._drop(node.open, name)
        self._set(node.changes, name, obj)

    def _adopted(self, obj: Treeobj) -> Node:
        """A directory that came as one object, made of the same parts as all others."""
        node = Node()
        for name, part in obj["data"].items():
            self._put(node, name, part)
        return node

    def _append(self, node: Node, name: str, obj: Treeobj, key: str) -> None:
        if name in node.open:
            raise OSError(EISDIR, f"{key}: Is a directory")
        found = self._entry(node, name)
        match found["type"] if found is not None else None:
            case None:
                self._put(node, name, obj)
            case "valref" if found is not None:
                self._set(node.changes, name, treeobj.valref([*found["data"], self._blob(obj)]))
            case "val" if found is not None:
                self._set(node.changes, name, treeobj.valref([self._blob(found), self._blob(obj)]))
            case "symlink":
                raise OSError(EOPNOTSUPP, f"{key}: cannot append to a symlink")
            case _:
                raise OSError(EISDIR, f"{key}: Is a directory")

    def _blob(self, obj: Treeobj) -> str:
        """Makes a val a blob of its own."""
        blob = treeobj.value_of(obj)
        ref = self._hash.blobref(blob)
        self._set(self._blobs, ref, blob)
        return ref

    def _set(self, mapping: dict[str, Any], name: str, value: Any) -> None:
        self._undo.append((mapping, name, mapping.get(name, _GONE)))
        mapping[name] = value

    def _drop(self, mapping: dict[str, Any], name: str) -> None:
        if name in mapping:
            self._undo.append((mapping, name, mapping.pop(name)))

    def _roll_back(self) -> None:
        while self._undo:
            mapping, name, value = self._undo.pop()
            if value is _GONE:
                mapping.pop(name, None)
            else:
                mapping[name] = value

    def _fold(self, node: Node) -> None:
        """Hashes a directory; those within it have been."""
        for name, child in node.open.items():
            node.changes[name] = treeobj.dirref(child.ref)
        if node.ref and not node.changes:
            return
        rewriting = Rewriting(self._find, self._hash, self._limits)
        node.ref = rewriting.rewrite(node.ref, node.changes)
        node.changes, node.open = {}, {}
        for ref, (blob, page) in rewriting.pages.items():
            self._made.blobs[ref], self._made.dirs[ref] = blob, page
        self._made.replaced.extend(rewriting.replaced)
