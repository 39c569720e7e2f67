"""size.py COUNT MODULE HOW: what takes longer the more brokers there are. MODULE may be reloaded, by HOW.

HOW is `rank`, if `flux module` knows many ranks, or `exec`: then each rank has a command of its own for it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import flux


def wall(*words: str) -> float:
    """Milliseconds that `flux WORDS` takes."""
    begun = time.perf_counter()
    subprocess.run(["flux", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True)
    return (time.perf_counter() - begun) * 1e3


def middle(count: int, measure: Callable[[], float]) -> float:
    """The middle one of several."""
    return statistics.median(measure() for _ in range(count))


def broadcast(handle: flux.Flux, size: int) -> float:
    """Milliseconds until an event has been everywhere: until the last rank, asked behind it, has answered."""
    begun = time.perf_counter()
    handle.rpc("event.publish", {"topic": "bench.broadcast", "flags": 0}, nodeid=0).get()
    for asked in [handle.rpc("broker.ping", {}, nodeid=rank) for rank in range(size)]:
        asked.get()
    return (time.perf_counter() - begun) * 1e3


def load(module: str, how: str) -> float:
    """Milliseconds of unloading a module everywhere and loading it again."""
    if how == "exec":
        everywhere = ("exec", "-r", "all", "flux", "module")
        return wall(*everywhere, "remove", module) + wall(*everywhere, "load", module)
    return wall("module", "remove", "-r", "all", module) + wall("module", "load", "-r", "all", module)


def main(count: int, module: str, how: str) -> None:
    """Measures all."""
    handle = flux.Flux()
    size = int(handle.attr_get("size"))
    found: dict[str, Any] = {f"size.exec.{size}": middle(count, lambda: wall("exec", "-r", "all", "true"))}
    found[f"size.broadcast.{size}"] = middle(count * 5, lambda: broadcast(handle, size))
    found[f"size.load.{size}"] = middle(count, lambda: load(module, how))
    print(json.dumps(found))


main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
