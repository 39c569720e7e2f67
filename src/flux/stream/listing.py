"""Which streams there are, what is known of each, and how one is removed."""

from collections.abc import Iterator
from errno import EINVAL
from typing import TYPE_CHECKING, NamedTuple

from flux.base import treeobj
from flux.base.streamlog import Fold
from flux.base.treeobj import Treeobj
from flux.constants import FLUX_KVS_READDIR, FLUX_KVS_TREEOBJ
from flux.core.blobs import Blobs
from flux.kvs.reading import lookup
from flux.kvs.where import namespace_or_default, prefix
from flux.kvs.writing import KVSTxn
from flux.stream.places import EXIT_CODE, INPUT, OUTPUT
from flux.stream.reader import Reader

if TYPE_CHECKING:
    from flux.core.handle import Flux

NAMES = {name.removeprefix(".") for name in (INPUT, OUTPUT, EXIT_CODE)}
"""What is below the name of a program."""


class Stat(NamedTuple):
    """What is known of a stream."""

    ended: bool
    writers: int
    """Who write it now."""
    bytes: dict[str, int]
    """What was written to each of its parts, by name."""
    ends: dict[str, tuple[int, int]]
    """How many ends have come of each part, and how many are to come in all."""
    appends: int
    begun: float
    last: float
    """When it began, and when something was written last, in seconds since 1970."""
    remarks: list[str]
    """What is missing in it."""


def stat(flux_handle: "Flux", key: str, namespace: str | None = None) -> Stat:
    """Looks at the stream at `key`, through all of it."""
    found = lookup(flux_handle, key, FLUX_KVS_TREEOBJ, namespace)
    reader = Reader(flux_handle, key, namespace=namespace)
    sizes: dict[str, int] = {}
    last = 0.0
    for said in reader:
        sizes[said.stream] = sizes.get(said.stream, 0) + len(said.data)
        last = said.time
    fold = reader.fold
    where = {"key": key, "namespace": namespace_or_default(namespace)}
    writers: int = flux_handle.rpc("stream.stat", where).get()["writers"]
    sizes = dict.fromkeys(fold.counts, 0) | sizes
    ends = {stream: (fold.ends[stream], count) for stream, count in fold.counts.items()}
    appends = len(found["data"]) if found["type"] == "valref" else 1
    return Stat(fold.ended, writers, sizes, ends, appends, fold.begun, last or fold.begun, fold.remarks)


def listed(flux_handle: "Flux", key: str = ".", namespace: str | None = None, recursive: bool = False) -> Iterator[str]:
    """The keys of the streams in a directory, and with `recursive` below it."""
    entries = lookup(flux_handle, key, FLUX_KVS_READDIR, namespace)["data"]
    blobs = Blobs(flux_handle)
    firsts = [obj["data"][0] for obj in entries.values() if obj["type"] == "valref"]
    for name, obj in sorted(entries.items()):
        whole = prefix(key) + name
        if obj["type"] in ("dir", "dirref"):
            if recursive:
                yield from listed(flux_handle, whole, namespace, recursive)
        elif obj["type"] in ("val", "valref"):
            all(blobs.want(ref) for ref in firsts)
            if _is_stream(obj, blobs):
                yield whole


def _is_stream(obj: Treeobj, blobs: Blobs) -> bool:
    """Whether a value begins as a stream does."""
    first = treeobj.value_of(obj) if obj["type"] == "val" else blobs.get(obj["data"][0])
    line, end, _ = first.partition(b"\n")
    try:
        fold = Fold()
        fold.feed(line + end)
    except OSError:
        return False
    return fold.begun > 0


def remove(flux_handle: "Flux", key: str, namespace: str | None = None) -> None:
    """Removes the stream at `key`, or those of the program of that name. OSError(EINVAL) for what is neither."""
    found = lookup(flux_handle, key, FLUX_KVS_TREEOBJ, namespace)
    if found["type"] in ("dir", "dirref"):
        names = lookup(flux_handle, key, FLUX_KVS_READDIR, namespace)["data"].keys()
        good = bool(names) and names <= NAMES
    else:
        good = found["type"] in ("val", "valref") and _is_stream(found, Blobs(flux_handle))
    if not good:
        raise OSError(EINVAL, "is not a stream", key)
    with KVSTxn(flux_handle, namespace=namespace) as txn:
        txn.unlink(key)
