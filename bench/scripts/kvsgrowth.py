"""kvsgrowth.py KEYS: what a key costs in a store that grows, and what is left of it when garbage is collected."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time

import flux
import flux.kvs

BATCH, FEW, SAMPLE = 1_000, 1_000, 2_000


def fill(handle: flux.Flux, first: int, last: int) -> None:
    """Puts keys into one directory, a thousand in a commit."""
    for begin in range(first, last, BATCH):
        for number in range(begin, min(begin + BATCH, last)):
            flux.kvs.put(handle, f"growth.key{number:07}", number * 7919)
        flux.kvs.commit(handle)


def one(handle: flux.Flux, keys: int) -> float:
    """Us to change one of so many keys: the middle one of some."""
    took = []
    for number in range(SAMPLE):
        flux.kvs.put(handle, f"growth.key{number * 7919 % keys:07}", number)
        begun = time.perf_counter()
        flux.kvs.commit(handle)
        took.append(time.perf_counter() - begun)
    return statistics.median(took) * 1e6


def collect(handle: flux.Flux) -> tuple[float, float]:
    """Seconds that the collection takes, and ms of the longest commit meanwhile."""
    begun = time.perf_counter()
    took = [0.0]
    done = threading.Event()

    def run() -> None:
        subprocess.run(["flux", "gc"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        took[0] = time.perf_counter() - begun
        done.set()

    threading.Thread(target=run).start()
    longest = 0.0
    while not done.is_set():
        flux.kvs.put(handle, "meanwhile", longest)
        at = time.perf_counter()
        flux.kvs.commit(handle)
        longest = max(longest, time.perf_counter() - at)
    return took[0], longest * 1e3


def main(keys: int) -> None:
    """Measures all."""
    handle = flux.Flux()
    fill(handle, 0, FEW)
    found = {"kvsgrowth.few": one(handle, FEW)}
    begun = time.perf_counter()
    fill(handle, FEW, keys)
    found["kvsgrowth.fill"] = (keys - FEW) / (time.perf_counter() - begun)
    found["kvsgrowth.many"] = one(handle, keys)
    found["kvsgrowth.gc"], found["kvsgrowth.stall"] = collect(handle)
    found["kvsgrowth.bytes"] = os.path.getsize(os.path.join(handle.attr_get("statedir"), "content.sqlite")) / keys
    print(json.dumps(found))


main(int(sys.argv[1]))
