"""walls.py NAME COUNT COMMAND ...: how many milliseconds a `flux COMMAND` takes, in the middle."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

import flux
import flux.kvs


def wall(words: list[str]) -> float:
    """Milliseconds, once."""
    begun = time.perf_counter()
    subprocess.run(["flux", *words], stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begun) * 1e3


def main(name: str, count: int, words: list[str]) -> None:
    """Measures; `a` is there for who asks the key-value store."""
    handle = flux.Flux()
    flux.kvs.put(handle, "a", 1)
    flux.kvs.commit(handle)
    wall(words)
    print(json.dumps({name: statistics.median(wall(words) for _ in range(count))}))


main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
