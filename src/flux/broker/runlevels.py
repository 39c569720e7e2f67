"""What is loaded where: the broker's own modules, then run level 1. A table, so that no process is needed to boot."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A module of run level 1; `root` says that only rank 0 has it."""

    name: str
    root: bool = False


BUILTINS = ("log", "attr", "module", "groups", "multicast", "connector-local")
"""Loaded first and unloaded last."""

RC1 = (
    Entry("heartbeat"),
    Entry("content"),
    Entry("content-memory", root=True),
    Entry("kvs"),
    Entry("barrier"),
    Entry("reduce"),
    Entry("seq", root=True),
    Entry("rexec"),
    Entry("wreck"),
)
"""Loaded in this order in the state init, unloaded in the reverse order in finalize."""


def rc1(rank: int) -> list[str]:
    """The modules of run level 1 on that rank."""
    return [entry.name for entry in RC1 if rank == 0 or not entry.root]
