"""The flags of a watch, and which of them go together."""

from errno import EINVAL, EPROTO

from flux.constants import (
    FLUX_KVS_READDIR,
    FLUX_KVS_READLINK,
    FLUX_KVS_STREAM,
    FLUX_KVS_TREEOBJ,
    FLUX_KVS_WAITCREATE,
    FLUX_KVS_WATCH,
    FLUX_KVS_WATCH_APPEND,
    FLUX_KVS_WATCH_FULL,
    FLUX_KVS_WATCH_INITIAL_SENTINEL,
    FLUX_KVS_WATCH_UNIQ,
)

READDIR, READLINK, TREEOBJ = FLUX_KVS_READDIR, FLUX_KVS_READLINK, FLUX_KVS_TREEOBJ
WATCH, WAITCREATE, STREAM = FLUX_KVS_WATCH, FLUX_KVS_WAITCREATE, FLUX_KVS_STREAM
FULL, UNIQ, APPEND = FLUX_KVS_WATCH_FULL, FLUX_KVS_WATCH_UNIQ, FLUX_KVS_WATCH_APPEND
SENTINEL = FLUX_KVS_WATCH_INITIAL_SENTINEL

BY_BLOB = APPEND | STREAM
"""A value is answered in parts, as it was appended."""
WATCH_ONLY = FULL | UNIQ | APPEND | SENTINEL


def check(flags: int, streaming: bool) -> None:
    """Refuses flags that contradict each other, by EINVAL, and a caller who takes one answer only, by EPROTO."""
    if flags & (WATCH | STREAM) and not streaming:
        raise OSError(EPROTO, "a key can be watched or streamed by a streaming request only")
    if flags & WATCH and flags & STREAM:
        raise OSError(EINVAL, "a key can be watched or streamed, not both at once")
    if flags & WATCH_ONLY and not flags & WATCH:
        raise OSError(EINVAL, "flags of a watch need the flag WATCH")
    if flags & SENTINEL and not flags & APPEND:
        raise OSError(EINVAL, "only a watch of what is appended has a sentinel")


def lookup_flags(flags: int) -> int:
    """What a lookup for that watch is to have."""
    return flags & (READDIR | READLINK | TREEOBJ) | (TREEOBJ if flags & BY_BLOB else 0)
