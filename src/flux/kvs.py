"""The key-value store, under the names of today's `flux.kvs`.

Values are what JSON can carry, or bytes; keys are names with dots between them, "." is the root. Changes are staged by
`put`, `put_mkdir`, `put_unlink`, `put_symlink` (or on a KVSTxn, or a KVSDir) and happen, all or none, by `commit`.
`namespace` is FLUX_KVS_NAMESPACE of the environment unless it is given, and without that the primary one.
"""

from collections.abc import Iterator, Mapping
from errno import EINVAL, EISDIR, ENOENT
from os import environ, strerror
from typing import TYPE_CHECKING, Any, Self

from flux.base import treeobj
from flux.base.treeobj import Treeobj
from flux.constants import FLUX_KVS_APPEND, FLUX_KVS_READDIR, FLUX_KVS_TXN_COMPACT

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.rpc import RPC

__all__ = [
    "KVSDir",
    "KVSTxn",
    "commit",
    "commit_async",
    "exists",
    "get",
    "get_dir",
    "get_key_direct",
    "isdir",
    "join",
    "kvs_checkpoint_lookup",
    "lookup",
    "namespace_list",
    "put",
    "put_mkdir",
    "put_symlink",
    "put_unlink",
    "walk",
]

PRIMARY = "primary"


# -- reading -----------------------------------------------------------------------------------------------------------


def lookup(
    flux_handle: "Flux", key: str, flags: int = 0, namespace: str | None = None, rootdir: Treeobj | None = None
) -> Treeobj:
    """The tree object (RFC 11) at `key`, in a namespace as it is now, or below the directory reference `rootdir`.

    `flags`: FLUX_KVS_READDIR for a directory, FLUX_KVS_READLINK for a symlink, FLUX_KVS_TREEOBJ for what is stored;
    without them the value. OSError names the key: ENOENT, EISDIR, ENOTDIR, EINVAL (not a link), ELOOP, ENOTSUP (no
    such namespace).
    """
    if not key:
        raise OSError(EINVAL, strerror(EINVAL), key)
    where = {"namespace": namespace_or_default(namespace)} if rootdir is None else {"rootdir": rootdir}
    try:
        val: Treeobj = flux_handle.rpc("kvs.lookup", {"key": key, **where, "flags": flags}).get()["val"]
    except OSError as error:
        raise OSError(error.errno, error.strerror, key) from None
    return val


def get_key_direct(flux_handle: "Flux", key: str, namespace: str | None = None) -> Any:
    """The value at `key`, as `get` gives it; a directory is EISDIR."""
    return _decoded(treeobj.value_of(lookup(flux_handle, key, 0, namespace)))


def get(flux_handle: "Flux", key: str, namespace: str | None = None, _kvstxn: "KVSTxn | None" = None) -> Any:
    """What is at `key`: a value of JSON, else text, else bytes, None for an empty one; a KVSDir for a directory."""
    try:
        return get_key_direct(flux_handle, key, namespace)
    except IsADirectoryError:
        return get_dir(flux_handle, key, namespace, _kvstxn)


def get_dir(
    flux_handle: "Flux", key: str = ".", namespace: str | None = None, _kvstxn: "KVSTxn | None" = None
) -> "KVSDir":
    """The directory at `key`."""
    return KVSDir(flux_handle, key, namespace=namespace, _kvstxn=_kvstxn)


def exists(flux_handle: "Flux", key: str, namespace: str | None = None) -> bool:
    """Whether there is a value or a directory at `key`."""
    return _found(flux_handle, key, namespace) != ENOENT


def isdir(flux_handle: "Flux", key: str, namespace: str | None = None) -> bool:
    """Whether there is a directory at `key`."""
    return _found(flux_handle, key, namespace) == EISDIR


def _found(flux_handle: "Flux", key: str, namespace: str | None) -> int:
    try:
        lookup(flux_handle, key, 0, namespace)
    except OSError as error:
        if error.errno not in (ENOENT, EISDIR):
            raise
        return error.errno
    return 0


def _decoded(value: bytes) -> Any:
    if not value:
        return None
    from json import loads

    try:
        text = value.decode()
        return loads(text)
    except UnicodeDecodeError:
        return value
    except (ValueError, RecursionError):
        return text


def _encoded(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    from json import dumps

    return dumps(value).encode()


# -- writing -----------------------------------------------------------------------------------------------------------


def put(
    flux_handle: "Flux", key: str, value: Any, _kvstxn: "KVSTxn | None" = None, raw: bool = False, append: bool = False
) -> None:
    """Stages `value` for `key`, as JSON, or bytes as they are; with `raw` text as it is.

    `append` adds to what is there.
    """
    _staged(flux_handle, _kvstxn).put(key, value, raw, append)


def put_mkdir(flux_handle: "Flux", key: str, _kvstxn: "KVSTxn | None" = None) -> None:
    """Stages an empty directory, in place of what is at `key`."""
    _staged(flux_handle, _kvstxn).mkdir(key)


def put_unlink(flux_handle: "Flux", key: str, _kvstxn: "KVSTxn | None" = None) -> None:
    """Stages the removal of what is at `key`, with all that is below."""
    _staged(flux_handle, _kvstxn).unlink(key)


def put_symlink(flux_handle: "Flux", key: str, target: str, _kvstxn: "KVSTxn | None" = None) -> None:
    """Stages a symlink to `target`, which need not exist."""
    _staged(flux_handle, _kvstxn).symlink(key, target)


def commit(flux_handle: "Flux", flags: int = 0, namespace: str | None = None, _kvstxn: "KVSTxn | None" = None) -> None:
    """Makes what was staged happen, all or none of it; when this returns, this broker has it.

    `flags`: FLUX_KVS_NO_MERGE keeps other commits apart, FLUX_KVS_TXN_COMPACT joins appends to one key,
    FLUX_KVS_SYNC waits until it is on disk (primary namespace only).
    """
    if _kvstxn is not None:
        _send(flux_handle, _kvstxn.ops, flags, namespace).get()
        return
    staged = flux_handle.__dict__.pop("aux_txn", None)
    if staged is not None:
        _send(flux_handle, staged.ops, flags, namespace).get()


def commit_async(
    flux_handle: "Flux", flags: int = 0, namespace: str | None = None, _kvstxn: "KVSTxn | None" = None
) -> "RPC":
    """As `commit`, as a future; its value says which root has it: {"rootref", "rootseq"}."""
    if _kvstxn is None:
        _kvstxn = flux_handle.__dict__.pop("aux_txn", None) or KVSTxn(flux_handle)
    return _send(flux_handle, _kvstxn.ops, flags, namespace)


def _staged(flux_handle: "Flux", _kvstxn: "KVSTxn | None") -> "KVSTxn":
    """The transaction that is meant; without one the handle's own, which begins with its first change."""
    if _kvstxn is not None:
        return _kvstxn
    own: KVSTxn = flux_handle.__dict__.setdefault("aux_txn", KVSTxn(flux_handle))
    return own


def _send(flux_handle: "Flux", ops: list[dict[str, Any]], flags: int, namespace: str | None) -> "RPC":
    if flags & FLUX_KVS_TXN_COMPACT:
        ops, flags = _compacted(ops), flags & ~FLUX_KVS_TXN_COMPACT
    return flux_handle.rpc("kvs.commit", {"namespace": namespace_or_default(namespace), "flags": flags, "ops": ops})


def _compacted(ops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Joins appends to one key. EINVAL if something else follows an append to it: then their order matters."""
    kept: list[dict[str, Any]] = []
    appends: dict[str, list[bytes]] = {}
    for op in ops:
        parts = appends.get(op["key"])
        if parts is not None and op["flags"] != FLUX_KVS_APPEND:
            raise OSError(EINVAL, "appends cannot be compacted across other operations", op["key"])
        if parts is None:
            kept.append(op)
        if op["flags"] == FLUX_KVS_APPEND:
            appends.setdefault(op["key"], []).append(treeobj.value_of(op["dirent"]))
    return [
        op | {"dirent": treeobj.val(b"".join(appends[op["key"]]))} if op["flags"] == FLUX_KVS_APPEND else op
        for op in kept
    ]


class KVSTxn:
    """Changes that are staged here and happen, all or none, by `commit`, or at the end of a `with` block.

    `path` is the directory that keys are relative to.
    """

    def __init__(self, flux_handle: "Flux | None" = None, path: str = ".", namespace: str | None = None) -> None:
        self.fhdl: Any = flux_handle
        self.path = path
        self.namespace = namespace
        self.ops: list[dict[str, Any]] = []
        """What kvs.commit takes: {"key", "flags", "dirent"}."""
        self._path = _prefix(path)

    def put(self, key: str, value: Any, raw: bool = False, append: bool = False) -> None:
        """Stages a value, as the function `put` does."""
        data = value.encode() if raw and isinstance(value, str) else _encoded(value)
        self.stage(key, treeobj.val(data), FLUX_KVS_APPEND if append else 0)

    def mkdir(self, key: str) -> None:
        """Stages an empty directory."""
        self.stage(key, treeobj.directory())

    def unlink(self, key: str) -> None:
        """Stages a removal."""
        self.stage(key, None)

    def symlink(self, key: str, target: str, namespace: str | None = None) -> None:
        """Stages a symlink, perhaps into another namespace."""
        self.stage(key, treeobj.symlink(target, namespace))

    def stage(self, key: str, obj: Treeobj | None, flags: int = 0) -> None:
        """Stages any tree object (RFC 11); None removes."""
        if not key:
            raise OSError(EINVAL, strerror(EINVAL), key)
        self.ops.append({"key": self._path + key, "flags": flags, "dirent": obj})

    def commit(self, flags: int = 0) -> None:
        """Makes what was staged happen; does nothing if nothing was."""
        if self.ops:
            self.commit_async(flags).get()

    def commit_async(self, flags: int = 0) -> "RPC":
        """As `commit`, as a future."""
        try:
            return _send(self.fhdl, self.ops, flags, self.namespace)
        finally:
            self.clear()

    def clear(self) -> None:
        """Forgets what was staged."""
        self.ops = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.commit()


# -- directories -------------------------------------------------------------------------------------------------------


class KVSDir:
    """A directory as it was when this was made: iterate over its names, read by index; writing stages changes.

    `commit`, or the end of a `with` block, makes them happen. Subdirectories got by index stage with their parent.
    """

    def __init__(
        self,
        flux_handle: "Flux | None" = None,
        path: str = ".",
        *,
        namespace: str | None = None,
        _kvstxn: KVSTxn | None = None,
    ) -> None:
        if flux_handle is None:
            raise ValueError("flux_handle must be a valid Flux object")
        self.fhdl = flux_handle
        self.path = path
        self.namespace = namespace
        self._path = _prefix(path)
        # Keys are staged in full, so that subdirectories can share the transaction.
        self.kvstxn = _kvstxn or KVSTxn(flux_handle, ".", namespace=namespace)
        self.entries: Mapping[str, Treeobj] = lookup(flux_handle, path, FLUX_KVS_READDIR, namespace)["data"]
        """The tree objects in it, by name."""

    # -- what is there ----------------------------------------------------------------------------------------------

    def key_at(self, key: str) -> str:
        """The full key of a name in the directory."""
        return self._path + key

    def exists(self, name: str) -> bool:
        """Whether `name` exists below the directory now."""
        return exists(self.fhdl, self._path + name, self.namespace)

    def isdir(self, name: str) -> bool:
        """Whether `name` is a directory."""
        return self._kind(name) in ("dir", "dirref")

    def issymlink(self, name: str) -> bool:
        """Whether `name` is a symlink."""
        return self._kind(name) == "symlink"

    def _kind(self, name: str) -> str:
        return str(self.entries[name]["type"]) if name in self.entries else ""

    def files(self) -> Iterator[str]:
        """The names that are not directories."""
        return (name for name in self if not self.isdir(name))

    def directories(self) -> Iterator[str]:
        """The names that are directories."""
        return (name for name in self if self.isdir(name))

    def list_all(self) -> tuple[list[str], list[str]]:
        """The names that are not directories, and those that are."""
        return list(self.files()), list(self.directories())

    def get_size(self) -> int:
        """The number of names."""
        return len(self.entries)

    __len__ = get_size

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.entries))

    def __getitem__(self, key: str) -> Any:
        try:
            return get(self.fhdl, self.key_at(key), self.namespace, _kvstxn=self.kvstxn)
        except OSError:
            raise KeyError(f"{key} not found under directory {self.key_at('')}") from None

    # -- changes ----------------------------------------------------------------------------------------------------

    def __setitem__(self, key: str, value: Any) -> None:
        self.kvstxn.put(self._path + key, value)

    def __delitem__(self, key: str) -> None:
        self.kvstxn.unlink(self._path + key)

    def fill(self, contents: Mapping[str, Any]) -> None:
        """Writes keys and values below the directory."""
        if contents is None:
            raise ValueError("contents must be non-None")
        try:
            for key, value in contents.items():
                self[key] = value
        finally:
            self.commit()

    def mkdir(self, key: str, contents: Mapping[str, Any] | None = None) -> None:
        """Makes a subdirectory, with `contents` if there are any."""
        self.kvstxn.mkdir(self._path + key)
        self.commit()
        if contents is not None:
            KVSDir(self.fhdl, self._path + key, namespace=self.namespace).fill(contents)

    def commit(self, flags: int = 0) -> None:
        """Makes what was staged happen."""
        self.kvstxn.commit(flags)

    def commit_async(self, flags: int = 0) -> "RPC":
        """As `commit`, as a future."""
        return self.kvstxn.commit_async(flags)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.commit()


def join(*args: str) -> str:
    """Joins parts of a key; empty ones do not count."""
    return ".".join(filter(None, args))


def walk(
    directory: str | KVSDir, topdown: bool = False, flux_handle: "Flux | None" = None, namespace: str | None = None
) -> Iterator[tuple[str, Iterator[str], Iterator[str]]]:
    """Walks a directory as os.walk() does: yields (path, directories, files), subdirectories first unless `topdown`."""
    if isinstance(directory, KVSDir):
        return _walk(directory, "", topdown)
    if flux_handle is None:
        raise ValueError("If directory is a key, flux_handle must be specified")
    return _walk(KVSDir(flux_handle, directory, namespace=namespace), "", topdown)


def _walk(kvsdir: KVSDir, path: str, topdown: bool) -> Iterator[tuple[str, Iterator[str], Iterator[str]]]:
    if topdown:
        yield path, kvsdir.directories(), kvsdir.files()
    for name in kvsdir.directories():
        below = get_dir(kvsdir.fhdl, kvsdir.key_at(name), kvsdir.namespace)
        yield from _walk(below, join(path, name), topdown)
    if not topdown:
        yield path, kvsdir.directories(), kvsdir.files()


# -- the store ---------------------------------------------------------------------------------------------------------


def namespace_list(flux_handle: "Flux") -> list[str]:
    """The names of the namespaces that this broker knows."""
    return [one["namespace"] for one in flux_handle.rpc("kvs.namespace-list").get()["namespaces"]]


def kvs_checkpoint_lookup(flux_handle: "Flux", cache_bypass: bool = False) -> list[dict[str, Any]]:
    """The roots that the backing store remembers, the latest first: {"rootref", "sequence", "timestamp"}."""
    service = "content-backing" if cache_bypass else "content"
    found = flux_handle.rpc(f"{service}.checkpoint-get").get()["value"]
    return [found] if isinstance(found, dict) else list(found)


def namespace_or_default(namespace: str | None) -> str:
    """The namespace that is meant: the given one, that of the environment, or the primary one."""
    return namespace or environ.get("FLUX_KVS_NAMESPACE") or PRIMARY


def _prefix(path: str) -> str:
    """What goes before a name in a directory."""
    return "" if not path or path == "." else path if path.endswith(".") else path + "."
