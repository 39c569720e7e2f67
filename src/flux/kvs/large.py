"""Large values: their bytes go to and from the content store as they are, the key-value store has the references."""

from errno import EPERM
from typing import TYPE_CHECKING, Any

from flux.base import treeobj
from flux.base.blobref import digest, of_digest
from flux.base.treeobj import Treeobj
from flux.kvs.values import is_large, parts

if TYPE_CHECKING:
    from flux.core.handle import Flux


def stored(flux_handle: "Flux", ops: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The operations, with references in place of large values, which the content store has then."""
    return [op | {"dirent": _store(flux_handle, op["dirent"])} if is_large(op) else op for op in ops]


def _store(flux_handle: "Flux", obj: Treeobj) -> Treeobj:
    asked = [flux_handle.rpc("content.store", part) for part in parts(treeobj.value_of(obj))]
    try:
        return treeobj.valref([of_digest(one.get_bytes()) for one in asked])
    except OSError as error:
        if error.errno != EPERM:
            raise
        return obj  # guests have no access to the content store; their values are in their commits


def loaded(flux_handle: "Flux", obj: Treeobj) -> bytes:
    """The bytes that a valref refers to."""
    asked = [flux_handle.rpc("content.load", digest(ref)) for ref in obj["data"]]
    return b"".join([one.get_bytes() for one in asked])
