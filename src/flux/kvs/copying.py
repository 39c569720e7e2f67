"""Copies and moves: what is copied is a reference, however much is below it."""

from errno import EINVAL
from typing import TYPE_CHECKING, TypeAlias

from flux.base.treeobj import Treeobj
from flux.constants import FLUX_KVS_TREEOBJ
from flux.future import FutureExt
from flux.kvs.reading import lookup, lookup_async
from flux.kvs.where import namespace_or_default
from flux.kvs.writing import KVSTxn

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.rpc import RPC

Name: TypeAlias = str | None
"""Of a namespace."""


def copy(
    flux_handle: "Flux",
    source: str,
    destination: str,
    src_namespace: Name = None,
    dst_namespace: Name = None,
) -> None:
    """Copies a key, a directory with all that is in it: a reference is copied, no data."""
    found = lookup(flux_handle, source, FLUX_KVS_TREEOBJ, src_namespace)
    _staged_copy(flux_handle, destination, found, dst_namespace).commit()


def copy_async(
    flux_handle: "Flux",
    source: str,
    destination: str,
    src_namespace: Name = None,
    dst_namespace: Name = None,
) -> FutureExt:
    """As `copy`, as a future."""
    return FutureExt(_copy_by, source, destination, (src_namespace, dst_namespace), False, flux_handle=flux_handle)


def move(
    flux_handle: "Flux",
    source: str,
    destination: str,
    src_namespace: Name = None,
    dst_namespace: Name = None,
) -> None:
    """Copies a key, then removes the source. Within one namespace that is one commit: both or none."""
    found = lookup(flux_handle, source, FLUX_KVS_TREEOBJ, src_namespace)
    for txn in moved(flux_handle, source, destination, found, (src_namespace, dst_namespace)):
        txn.commit()


def move_async(
    flux_handle: "Flux",
    source: str,
    destination: str,
    src_namespace: Name = None,
    dst_namespace: Name = None,
) -> FutureExt:
    """As `move`, as a future."""
    return FutureExt(_copy_by, source, destination, (src_namespace, dst_namespace), True, flux_handle=flux_handle)


def _staged_copy(flux_handle: "Flux | None", destination: str, found: Treeobj, namespace: Name) -> "KVSTxn":
    txn = KVSTxn(flux_handle, namespace=namespace)
    txn.stage(destination, found)
    return txn


def moved(
    flux_handle: "Flux | None", source: str, destination: str, found: Treeobj, where: tuple[Name, Name]
) -> list["KVSTxn"]:
    """The transactions of a move, one after the other."""
    txn = _staged_copy(flux_handle, destination, found, where[1])
    same = namespace_or_default(where[0]) == namespace_or_default(where[1])
    rest = txn if same else KVSTxn(flux_handle, namespace=where[0])
    # First the source goes: what is moved below itself, or onto itself, is there in the end.
    rest.ops.insert(0, {"key": source, "flags": 0, "dirent": None})
    return [txn] if same else [txn, rest]


def _copy_by(future: FutureExt, source: str, destination: str, where: tuple[Name, Name], away: bool) -> None:
    """Does a copy or a move step by step, and fulfils the future at the end."""
    handle = future.get_flux()
    assert handle is not None
    left: list[KVSTxn] = []

    def step(done: "RPC") -> None:
        error = done.error()
        if error is not None:
            future.fulfill_error(error.errno or EINVAL, error.strerror)
        elif left:
            left.pop(0).commit_async().then(step)
        else:
            future.fulfill(None)

    def found(asked: "RPC") -> None:
        if asked.error() is None:
            obj = asked.get()["val"]
            staged = _staged_copy(handle, destination, obj, where[1])
            left.extend(moved(handle, source, destination, obj, where) if away else [staged])
        step(asked)

    lookup_async(handle, source, FLUX_KVS_TREEOBJ, where[0]).then(found)
