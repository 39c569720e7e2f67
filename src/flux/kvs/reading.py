"""What is at a key."""

from errno import EINVAL, EISDIR, ENOENT
from os import strerror
from typing import TYPE_CHECKING, Any

from flux.base import treeobj
from flux.base.treeobj import Treeobj
from flux.kvs.values import LARGE, decoded
from flux.kvs.where import namespace_or_default

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.rpc import RPC


def lookup(
    flux_handle: "Flux", key: str, flags: int = 0, namespace: str | None = None, rootdir: Treeobj | None = None
) -> Treeobj:
    """The tree object (RFC 11) at `key`, in a namespace as it is now, or below the directory reference `rootdir`.

    `flags`: FLUX_KVS_READDIR for a directory, FLUX_KVS_READLINK for a symlink, FLUX_KVS_TREEOBJ for what is stored;
    without them the value. OSError names the key: ENOENT, EISDIR, ENOTDIR, EINVAL (not a link), ELOOP, ENOTSUP (no
    such namespace).
    """
    where = {"namespace": namespace_or_default(namespace)} if rootdir is None else {"rootdir": rootdir}
    return _lookup(flux_handle, {"key": key, **where, "flags": flags})


def lookup_async(flux_handle: "Flux", key: str, flags: int = 0, namespace: str | None = None) -> "RPC":
    """As `lookup`, as a future: {"val": tree object}."""
    payload = {"key": key, "namespace": namespace_or_default(namespace), "flags": flags}
    return flux_handle.rpc("kvs.lookup", payload)


def _lookup(flux_handle: "Flux", payload: dict[str, Any]) -> Treeobj:
    key = payload["key"]
    if not key:
        raise OSError(EINVAL, strerror(EINVAL), key)
    try:
        val: Treeobj = flux_handle.rpc("kvs.lookup", payload).get()["val"]
    except OSError as error:
        raise OSError(error.errno, error.strerror, key) from None
    return val


def get_raw(flux_handle: "Flux", key: str, namespace: str | None = None) -> bytes:
    """The value at `key` as it is; a directory is EISDIR."""
    payload = {"key": key, "namespace": namespace_or_default(namespace), "flags": 0, "large": LARGE}
    found = _lookup(flux_handle, payload)
    if found["type"] == "val":
        return treeobj.value_of(found)
    from flux.kvs.large import loaded

    return loaded(flux_handle, found)


def get_key_direct(flux_handle: "Flux", key: str, namespace: str | None = None) -> Any:
    """The value at `key`, as `get` gives it; a directory is EISDIR."""
    return decoded(get_raw(flux_handle, key, namespace))


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


def kvs_checkpoint_lookup(flux_handle: "Flux", cache_bypass: bool = False) -> list[dict[str, Any]]:
    """The roots that the backing store remembers, the latest first: {"rootref", "sequence", "timestamp"}."""
    service = "content-backing" if cache_bypass else "content"
    found = flux_handle.rpc(f"{service}.checkpoint-get").get()["value"]
    return [found] if isinstance(found, dict) else list(found)
