"""What a backing store remembers besides blobs: the live root of each namespace, and the last checkpoints. Pure."""

from collections.abc import Iterable
from errno import ENOENT
from typing import Any, TypeAlias

from flux.base.blobref import is_blobref
from flux.base.invalid import Invalid

PRIMARY = "primary"
KEPT = 5
"""Checkpoints that are remembered."""

RootRecord: TypeAlias = dict[str, Any]
"""{version, rootref, sequence, timestamp}, and in commits namespace, owner and flags."""


class LiveRoots:
    """Roots that lead to all that is alive."""

    __slots__ = ("checkpoints", "live")

    def __init__(self, live: Iterable[RootRecord] = (), checkpoints: Iterable[RootRecord] = ()) -> None:
        self.live = {namespace_of(root): root for root in live}
        self.checkpoints = list(checkpoints)
        """The latest first."""

    def move(self, root: RootRecord) -> None:
        """A namespace has another root."""
        self.live[namespace_of(root)] = root

    def remove(self, namespace: str) -> None:
        """A namespace is gone. ENOENT if it was not there."""
        if self.live.pop(namespace, None) is None:
            raise OSError(ENOENT, f"no root of a namespace {namespace:.40}")

    def remember(self, value: RootRecord) -> None:
        """Remembers a checkpoint, and makes it the live root of the primary namespace."""
        self.move(value | {"namespace": PRIMARY})
        self.checkpoints = [value, *self.checkpoints[: KEPT - 1]]

    def roots(self) -> list[RootRecord]:
        """The live roots, that of the primary namespace first."""
        return sorted(self.live.values(), key=lambda root: namespace_of(root) != PRIMARY)

    def history(self) -> list[RootRecord]:
        """The live root of the primary namespace, then the checkpoints that are not the same. ENOENT without any."""
        primary = [plain(self.live[PRIMARY])] if PRIMARY in self.live else []
        found = primary + [value for value in map(plain, self.checkpoints) if value not in primary]
        if not found:
            raise OSError(ENOENT, "no checkpoint yet")
        return found

    def refs(self) -> list[str]:
        """The blobrefs of all these roots."""
        return list(dict.fromkeys(root["rootref"] for root in (*self.roots(), *self.checkpoints)))


def namespace_of(root: RootRecord) -> str:
    """The namespace that a root is of."""
    return str(root.get("namespace", PRIMARY))


def plain(root: RootRecord) -> RootRecord:
    """A root as checkpoints have it."""
    return {key: root[key] for key in ("version", "rootref", "sequence", "timestamp") if key in root}


def checked(root: RootRecord) -> RootRecord:
    """Returns a root that can be one. Raises EINVAL."""
    if not is_blobref(root.get("rootref")) or type(root.get("sequence", 0)) is not int:
        raise Invalid("not a root: it has no rootref, or a sequence that is no number")
    if not isinstance(root.get("namespace", PRIMARY), str):
        raise Invalid("not a root: its namespace is no name")
    return root
