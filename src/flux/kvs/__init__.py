"""The key-value store, under the names of today's `flux.kvs`.

Values are what JSON can carry, or bytes; keys are names with dots between them, "." is the root. Changes are staged by
`put`, `put_mkdir`, `put_unlink`, `put_symlink` (or on a KVSTxn, or a KVSDir) and happen, all or none, by `commit`.
`namespace` is FLUX_KVS_NAMESPACE of the environment unless it is given, and without that the primary one.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flux.kvs.copying import copy, copy_async, move, move_async
    from flux.kvs.directory import KVSDir, get, get_dir, join, walk
    from flux.kvs.namespaces import (
        namespace_create,
        namespace_create_async,
        namespace_list,
        namespace_list_async,
        namespace_remove,
        namespace_remove_async,
    )
    from flux.kvs.reading import exists, get_key_direct, get_raw, isdir, kvs_checkpoint_lookup, lookup, lookup_async
    from flux.kvs.watch import KVSWatchFuture, WatchImplementation, kvs_watch_async
    from flux.kvs.where import namespace_or_default
    from flux.kvs.writing import KVSTxn, commit, commit_async, put, put_mkdir, put_symlink, put_unlink

__all__ = [
    "KVSDir",
    "KVSTxn",
    "KVSWatchFuture",
    "WatchImplementation",
    "commit",
    "commit_async",
    "copy",
    "copy_async",
    "exists",
    "get",
    "get_dir",
    "get_key_direct",
    "get_raw",
    "isdir",
    "join",
    "kvs_checkpoint_lookup",
    "kvs_watch_async",
    "lookup",
    "lookup_async",
    "move",
    "move_async",
    "namespace_create",
    "namespace_create_async",
    "namespace_list",
    "namespace_list_async",
    "namespace_or_default",
    "namespace_remove",
    "namespace_remove_async",
    "put",
    "put_mkdir",
    "put_symlink",
    "put_unlink",
    "walk",
]

_WHERE = {
    **dict.fromkeys(
        (
            "copy",
            "copy_async",
            "move",
            "move_async",
        ),
        "copying",
    ),
    **dict.fromkeys(
        (
            "KVSDir",
            "get",
            "get_dir",
            "join",
            "walk",
        ),
        "directory",
    ),
    **dict.fromkeys(
        (
            "namespace_create",
            "namespace_create_async",
            "namespace_list",
            "namespace_list_async",
            "namespace_remove",
            "namespace_remove_async",
        ),
        "namespaces",
    ),
    **dict.fromkeys(
        (
            "exists",
            "get_key_direct",
            "get_raw",
            "isdir",
            "kvs_checkpoint_lookup",
            "lookup",
            "lookup_async",
        ),
        "reading",
    ),
    **dict.fromkeys(
        (
            "KVSWatchFuture",
            "WatchImplementation",
            "kvs_watch_async",
        ),
        "watch",
    ),
    **dict.fromkeys(("namespace_or_default",), "where"),
    **dict.fromkeys(
        (
            "KVSTxn",
            "commit",
            "commit_async",
            "put",
            "put_mkdir",
            "put_symlink",
            "put_unlink",
        ),
        "writing",
    ),
}
"""Each name with the file that it is in, which is imported when the name is first used."""


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        raise AttributeError(f"module 'flux.kvs' has no attribute '{name}'")
    from importlib import import_module

    found = globals()[name] = getattr(import_module(f"flux.kvs.{_WHERE[name]}"), name)
    return found
