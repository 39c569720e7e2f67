"""The key-value store for the tasks of one event loop; values, transactions and errors are those of `flux.kvs`.

async with flux.aio.connect() as h:
    await put(h, {"a.b": 1})
    async for value in watch(h, "a.b"):
        ...
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from errno import EPERM
from os import getuid
from typing import Any

from flux.aio.handle import Handle
from flux.base import treeobj
from flux.base.blobref import digest, of_digest
from flux.base.treeobj import Treeobj
from flux.constants import (
    FLUX_KVS_TREEOBJ,
    FLUX_KVS_WAITCREATE,
    FLUX_KVS_WATCH,
    FLUX_KVS_WATCH_APPEND,
    FLUX_KVS_WATCH_FULL,
    FLUX_KVS_WATCH_UNIQ,
)
from flux.kvs.values import LARGE, decoded, is_large, parts
from flux.kvs.where import namespace_or_default
from flux.kvs.writing import KVSTxn

# -- reading -----------------------------------------------------------------------------------------------------------


async def lookup(handle: Handle, key: str, flags: int = 0, namespace: str | None = None) -> Treeobj:
    """The tree object (RFC 11) at `key`."""
    return await _lookup(handle, {"key": key, "namespace": namespace_or_default(namespace), "flags": flags})


async def get_raw(handle: Handle, key: str, namespace: str | None = None) -> bytes:
    """The value at `key` as it is."""
    payload = {"key": key, "namespace": namespace_or_default(namespace), "flags": 0, "large": LARGE}
    found = await _lookup(handle, payload)
    if found["type"] == "val":
        return treeobj.value_of(found)
    blobs = await asyncio.gather(*(handle.ask("content.load", digest(ref)) for ref in found["data"]))
    return b"".join(blob.payload() or b"" for blob in blobs)


async def get(handle: Handle, key: str, namespace: str | None = None) -> Any:
    """The value at `key`; a directory is EISDIR."""
    return decoded(await get_raw(handle, key, namespace))


async def _lookup(handle: Handle, payload: dict[str, Any]) -> Treeobj:
    try:
        found: Treeobj = (await handle.rpc("kvs.lookup", payload))["val"]
    except OSError as error:
        raise OSError(error.errno, error.strerror, payload["key"]) from None
    return found


async def watch(
    handle: Handle,
    key: str,
    namespace: str | None = None,
    *,
    waitcreate: bool = False,
    uniq: bool = False,
    full: bool = False,
    append: bool = False,
) -> AsyncGenerator[Any, None]:
    """Yields the value at `key`, and what it becomes, as `flux.kvs.kvs_watch_async` does.

    With `append` yields what is appended alone, as bytes. Who leaves the loop early closes it: `contextlib.aclosing`.
    """
    flags = FLUX_KVS_WATCH | FLUX_KVS_WAITCREATE * waitcreate | FLUX_KVS_WATCH_UNIQ * uniq
    flags |= FLUX_KVS_WATCH_FULL * full | FLUX_KVS_WATCH_APPEND * append
    payload = {"key": key, "namespace": namespace_or_default(namespace), "flags": flags}
    async with handle.stream("kvs-watch.lookup", payload) as answers:
        async for answer in answers:
            value = treeobj.value_of(answer["val"])
            yield value if append else decoded(value)


# -- writing -----------------------------------------------------------------------------------------------------------


async def put(handle: Handle, values: Mapping[str, Any], flags: int = 0, namespace: str | None = None) -> Any:
    """Commits values, all or none; gives the root that has them: {"rootref", "rootseq"}."""
    txn = KVSTxn(namespace=namespace)
    for key, value in values.items():
        txn.put(key, value)
    return await commit(handle, txn, flags)


async def commit(handle: Handle, txn: KVSTxn, flags: int = 0) -> Any:
    """Makes what was staged in a transaction happen, all or none of it; gives the root that has it."""
    ops, namespace = txn.ops, namespace_or_default(txn.namespace)
    txn.clear()
    ops = [op | {"dirent": await _stored(handle, op["dirent"])} if is_large(op) else op for op in ops]
    return await handle.rpc("kvs.commit", {"namespace": namespace, "flags": flags, "ops": ops})


async def _stored(handle: Handle, obj: Treeobj) -> Treeobj:
    """The references of a large value, which the content store has then; guests may not do that."""
    blobs = parts(treeobj.value_of(obj))
    try:
        refs = await asyncio.gather(*(handle.ask("content.store", blob) for blob in blobs))
    except OSError as error:
        if error.errno != EPERM:
            raise
        return obj
    return treeobj.valref(of_digest(ref.payload() or b"") for ref in refs)


async def copy(
    handle: Handle, source: str, destination: str, src_namespace: str | None = None, dst_namespace: str | None = None
) -> None:
    """Copies a key, a directory with all that is in it."""
    txn = KVSTxn(namespace=dst_namespace)
    txn.stage(destination, await lookup(handle, source, FLUX_KVS_TREEOBJ, src_namespace))
    await commit(handle, txn)


async def move(
    handle: Handle, source: str, destination: str, src_namespace: str | None = None, dst_namespace: str | None = None
) -> None:
    """Copies a key, then removes the source; within one namespace by one commit."""
    from flux.kvs.copying import moved

    found = await lookup(handle, source, FLUX_KVS_TREEOBJ, src_namespace)
    for txn in moved(None, source, destination, found, (src_namespace, dst_namespace)):
        await commit(handle, txn)


# -- namespaces --------------------------------------------------------------------------------------------------------


async def namespace_create(
    handle: Handle, namespace: str, owner: int | None = None, flags: int = 0, rootref: str = ""
) -> None:
    """Creates a namespace, empty or with a root, for a user id; for who calls if none is given."""
    if not rootref:
        from flux.kvs.namespaces import empty_root

        rootref = empty_root((await handle.rpc("attr.get", {"name": "content.hash"}))["value"])
    owner = getuid() if owner is None else owner
    payload = {"namespace": namespace, "rootref": rootref, "owner": owner, "flags": flags}
    await handle.rpc("kvs.namespace-create", payload, nodeid=0)


async def namespace_remove(handle: Handle, namespace: str) -> None:
    """Removes a namespace."""
    await handle.rpc("kvs.namespace-remove", {"namespace": namespace}, nodeid=0)


async def namespace_list(handle: Handle) -> list[str]:
    """The names of all namespaces."""
    return [one["namespace"] for one in (await handle.rpc("kvs.namespace-list"))["namespaces"]]
