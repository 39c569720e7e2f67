"""kvsranks.py COUNT: keys read, watched and fenced from all ranks of a session of eight."""

from __future__ import annotations

import base64
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import flux
import flux.constants
import flux.kvs

WATCHERS, CALLERS = 64, 64
WATCH = 4
"""Flag of kvs-watch.lookup."""


def middle(count: int, measure: Callable[[int], float]) -> float:
    """The middle one of several, in us."""
    return statistics.median(measure(number) for number in range(count)) * 1e6


def clients(handle: flux.Flux, count: int) -> list[flux.Flux]:
    """So many clients, all over the session."""
    where, size = handle.attr_get("rundir"), int(handle.attr_get("size"))
    return [flux.Flux(f"local://{where}/local-{number % size}") for number in range(count)]


def put(handle: flux.Flux, key: str, value: Any) -> None:
    """Puts and commits."""
    flux.kvs.put(handle, key, value)
    flux.kvs.commit(handle)


def cold(handle: flux.Flux, far: flux.Flux, number: int) -> float:
    """Seconds to read on the far rank what it has never seen: a directory of its own, and a large value."""
    put(handle, f"cold.{number}.key", "x" * 1000)
    catch_up(handle, far)
    return timed(lambda: flux.kvs.get(far, f"cold.{number}.key"))


def catch_up(handle: flux.Flux, other: flux.Flux) -> None:
    """Waits until another has the version that the first one sees."""
    other.rpc("kvs.wait-version", {"rootseq": version(handle), "namespace": "primary"}).get()


def timed(do: Callable[[], Any]) -> float:
    """Seconds that something takes."""
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


def version(handle: flux.Flux) -> int:
    """The version of the store."""
    return int(handle.rpc("kvs.getroot", {"namespace": "primary", "flags": 0}).get()["rootseq"])


def fan_out(handle: flux.Flux, watchers: list[flux.Flux], count: int) -> float:
    """Us from a commit to the last watcher that has heard of it."""
    put(handle, "watched", -1)
    for watcher in watchers:
        catch_up(handle, watcher)
    asked = {"key": "watched", "namespace": "primary", "flags": WATCH}
    watches = [h.rpc("kvs-watch.lookup", asked, flags=flux.constants.FLUX_RPC_STREAMING) for h in watchers]
    hear(watches)

    def once(number: int) -> float:
        begun = time.perf_counter()
        put(handle, "watched", number)
        hear(watches)
        return time.perf_counter() - begun

    return middle(count, once)


def hear(watches: list[Any]) -> None:
    """Waits until each has said something."""
    for watch in watches:
        watch.get()
        watch.reset()


def fence(callers: list[flux.Flux], turn: int, *, equal: bool) -> float:
    """Seconds of a fence of all, each with a value of a kilobyte, its own or the same."""
    value = base64.b64encode(b"x" * 1000).decode()
    begun = time.perf_counter()
    asked = []
    for number, caller in enumerate(callers):
        key = f"fence.{turn}.{0 if equal else number}"
        op = {"key": key, "flags": 0, "dirent": {"ver": 1, "type": "val", "data": value}}
        payload = {"name": f"f{turn}", "nprocs": len(callers), "namespace": "primary", "flags": 0, "ops": [op]}
        asked.append(caller.rpc("kvs.fence", payload))
    for one in asked:
        one.get()
    return time.perf_counter() - begun


def main(count: int) -> None:
    """Measures all."""
    handle = flux.Flux()
    everywhere = clients(handle, max(WATCHERS, CALLERS))
    far = everywhere[7]
    found: dict[str, float | str] = {"kvsranks.cold": middle(count, lambda number: cold(handle, far, number))}
    found["kvsranks.warm"] = middle(count * 20, lambda number: timed(lambda: flux.kvs.get(far, "cold.0.key")))
    found["kvsranks.watch"] = fan_out(handle, everywhere[:WATCHERS], count) / 1e3
    for name, equal in (("unique", False), ("equal", True)):
        try:
            found[f"kvsranks.{name}"] = middle(count // 4, partial(fence, everywhere, equal=equal)) / 1e3
        except OSError:
            found[f"kvsranks.{name}"] = "no counterpart"
    print(json.dumps(found))


main(int(sys.argv[1]))
