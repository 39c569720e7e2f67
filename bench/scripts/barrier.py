"""barrier.py COUNT: how long it takes until processes on all brokers have met."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import time

import flux


def meet(handle: flux.Flux, count: int, nprocs: int) -> float:
    """Microseconds of a meeting, seen by one who takes part."""
    for number in range(-1, count):
        if number == 0:
            begun = time.perf_counter()
        handle.rpc("barrier.enter", {"name": f"bench.{number}", "nprocs": nprocs, "internal": False}).get()
    return (time.perf_counter() - begun) / count * 1e6


def main(count: int) -> None:
    """Has all ranks meet, and says what the slowest of them saw."""
    handle = flux.Flux()
    try:
        meet(handle, 1, 1)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        print(json.dumps({"barrier": "no counterpart"}))
        return
    size = handle.attr_get("size")
    words = ["flux", "exec", "-r", "all", "flux", "python", __file__, "meet", str(count), size]
    out = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(json.dumps({"barrier": max(float(line) for line in out.split())}))


if sys.argv[1] == "meet":
    print(meet(flux.Flux(), int(sys.argv[2]), int(sys.argv[3])))
else:
    main(int(sys.argv[1]))
