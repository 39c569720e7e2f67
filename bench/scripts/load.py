"""load.py COUNT: how long a request takes while two other clients ask 1,000 times a second each."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import NoReturn

import flux

CLIENTS = 2
BURST, PAUSE = 10, 0.010


def press(handle: flux.Flux) -> NoReturn:
    """Asks in bursts until nobody is interested any more; says so when it has begun."""
    print("pressing", flush=True)
    due = time.monotonic()
    while True:
        for answer in [handle.rpc("attr.get", {"name": "size"}) for _ in range(BURST)]:
            answer.get()
        due += PAUSE
        time.sleep(max(0.0, due - time.monotonic()))


def probe(handle: flux.Flux, count: int) -> list[float]:
    """Microseconds of each request, sorted."""
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        handle.rpc("attr.get", {"name": "size"}).get()
        found.append((time.perf_counter() - begun) * 1e6)
    return sorted(found)


def main(count: int) -> None:
    """Measures while the others press."""
    words = [sys.executable, __file__, "press"]
    others = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(CLIENTS)]
    try:
        for other in others:
            assert other.stdout
            other.stdout.readline()
        found = probe(flux.Flux(), count)
    finally:
        for other in others:
            other.kill()
            other.wait()
    print(json.dumps({"load.p50": found[count // 2], "load.p99": found[count * 99 // 100]}))


if sys.argv[1] == "press":
    press(flux.Flux())
else:
    main(int(sys.argv[1]))
