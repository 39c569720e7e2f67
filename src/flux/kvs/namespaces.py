"""Namespaces: stores beside the primary one, each of an owner."""

from os import getuid
from typing import TYPE_CHECKING

from flux.base import treeobj
from flux.base.blobref import BlobHash

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.rpc import RPC


def namespace_create(
    flux_handle: "Flux", namespace: str, owner: int | None = None, flags: int = 0, rootref: str = ""
) -> None:
    """Creates a namespace, empty or with a root, for a user id; for who calls if none is given. EEXIST."""
    namespace_create_async(flux_handle, namespace, owner, flags, rootref).get()


def namespace_create_async(
    flux_handle: "Flux", namespace: str, owner: int | None = None, flags: int = 0, rootref: str = ""
) -> "RPC":
    """As `namespace_create`, as a future."""
    rootref = rootref or empty_root(flux_handle.attr_get("content.hash"))
    owner = getuid() if owner is None else owner
    payload = {"namespace": namespace, "rootref": rootref, "owner": owner, "flags": flags}
    return flux_handle.rpc("kvs.namespace-create", payload, 0)


def namespace_remove(flux_handle: "Flux", namespace: str) -> None:
    """Removes a namespace; other ranks hear of it a little later. ENOTSUP for the primary one."""
    namespace_remove_async(flux_handle, namespace).get()


def namespace_remove_async(flux_handle: "Flux", namespace: str) -> "RPC":
    """As `namespace_remove`, as a future."""
    return flux_handle.rpc("kvs.namespace-remove", {"namespace": namespace}, 0)


def namespace_list(flux_handle: "Flux") -> list[str]:
    """The names of all namespaces."""
    return [one["namespace"] for one in namespace_list_async(flux_handle).get()["namespaces"]]


def namespace_list_async(flux_handle: "Flux") -> "RPC":
    """The namespaces, as a future: {"namespaces": [{"namespace", "owner", "flags"}]}."""
    return flux_handle.rpc("kvs.namespace-list")


def empty_root(content_hash: str) -> str:
    """The blobref of an empty directory, given the attribute content.hash."""
    return BlobHash(content_hash).blobref(treeobj.encode(treeobj.directory()))
