"""Changes that happen together: staged one by one, then committed."""

from errno import EINVAL
from os import strerror
from typing import TYPE_CHECKING, Any, Self

from flux.base import treeobj
from flux.base.treeobj import Treeobj
from flux.constants import FLUX_KVS_APPEND, FLUX_KVS_TXN_COMPACT
from flux.kvs.values import encoded
from flux.kvs.where import namespace_or_default, prefix

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.rpc import RPC


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
    from flux.kvs.large import stored

    payload = {"namespace": namespace_or_default(namespace), "flags": flags, "ops": stored(flux_handle, ops)}
    return flux_handle.rpc("kvs.commit", payload)


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
        self._path = prefix(path)

    def put(self, key: str, value: Any, raw: bool = False, append: bool = False) -> None:
        """Stages a value, as the function `put` does."""
        data = value.encode() if raw and isinstance(value, str) else encoded(value)
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
