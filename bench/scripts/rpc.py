"""rpc.py NAME COUNT RANK: requests to a broker, one at a time and many at once."""

from __future__ import annotations

import json
import sys
import time

import flux

WINDOW = 1000


def one_at_a_time(handle: flux.Flux, rank: int, count: int) -> float:
    """Microseconds a request."""
    begun = time.perf_counter()
    for _ in range(count):
        handle.rpc("attr.get", {"name": "size"}, nodeid=rank).get()
    return (time.perf_counter() - begun) / count * 1e6


def pipelined(handle: flux.Flux, rank: int, count: int) -> float:
    """Requests a second."""
    begun = time.perf_counter()
    for _ in range(count // WINDOW):
        for answer in [handle.rpc("attr.get", {"name": "size"}, nodeid=rank) for _ in range(WINDOW)]:
            answer.get()
    return count // WINDOW * WINDOW / (time.perf_counter() - begun)


def main(name: str, count: int, rank: int) -> None:
    """Measures both."""
    handle = flux.Flux()
    one_at_a_time(handle, rank, count // 10)
    found = {f"{name}.one": one_at_a_time(handle, rank, count), f"{name}.many": pipelined(handle, rank, count)}
    print(json.dumps(found))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
