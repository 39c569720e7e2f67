"""mpi.py COUNT: how many milliseconds an MPI program of four takes that says hello, in the middle."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import time

RANKS = 4


def hello() -> None:
    """What each rank runs."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    print(world.allreduce(world.rank), world.size)


def wall() -> float:
    """Milliseconds, once."""
    begun = time.perf_counter()
    words = ["flux", "run", "-n", str(RANKS), sys.executable, __file__, "hello"]
    out = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    if out.splitlines() != [f"{sum(range(RANKS))} {RANKS}"] * RANKS:
        sys.exit(f"the ranks said {out!r}")
    return (time.perf_counter() - begun) * 1e3


def main(count: int) -> None:
    """Measures, where there is an MPI."""
    if importlib.util.find_spec("mpi4py"):
        print(json.dumps({"mpi": statistics.median(wall() for _ in range(count))}))
    else:
        print(json.dumps({"mpi": "no counterpart"}))


if sys.argv[1] == "hello":
    hello()
else:
    main(int(sys.argv[1]))
