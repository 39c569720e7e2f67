"""kvs.py COUNT [NAME]: what the key-value store does in a second; the figures are NAME's (kvs)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import flux
import flux.kvs

CLIENTS = 8


def commits(handle: flux.Flux, name: str, count: int) -> None:
    """Puts and commits, one at a time."""
    for number in range(count):
        flux.kvs.put(handle, f"bench.{name}.k{number}", number)
        flux.kvs.commit(handle)


def rate(count: int, doing: Callable[..., None], *arguments: Any) -> float:
    """How many a second, when all of `doing` is `count`."""
    begun = time.perf_counter()
    doing(*arguments)
    return count / (time.perf_counter() - begun)


def together(others: list[subprocess.Popen[bytes]]) -> None:
    """Has the other clients begin, and waits until each is done."""
    for other in others:
        assert other.stdin
        other.stdin.write(b"go\n")
        other.stdin.flush()
    hear(others)


def hear(others: list[subprocess.Popen[bytes]]) -> None:
    """Waits until each has said something."""
    for other in others:
        assert other.stdout
        other.stdout.readline()


def many(count: int) -> float:
    """Commits a second of eight clients who begin at the same time."""
    words = [sys.executable, __file__, "client", str(count)]
    others = [
        subprocess.Popen([*words, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for number in range(CLIENTS)
    ]
    hear(others)
    found = rate(count * CLIENTS, together, others)
    for other in others:
        other.communicate()
    return found


def client(count: int, name: str) -> None:
    """One of the eight."""
    handle = flux.Flux()
    print("ready", flush=True)
    sys.stdin.readline()
    commits(handle, name, count)
    print("done", flush=True)


def gets(handle: flux.Flux, count: int) -> None:
    """Lookups, one at a time."""
    for _ in range(count):
        flux.kvs.get(handle, "bench.one.k0")


def bulk(handle: flux.Flux, count: int) -> None:
    """One commit of many keys."""
    for number in range(count):
        flux.kvs.put(handle, f"bulk.k{number}", number)
    flux.kvs.commit(handle)


def main(count: int, figures: str = "kvs") -> None:
    """Measures all."""
    handle = flux.Flux()
    found = {f"{figures}.commit": rate(count, commits, handle, "one", count)}
    found[f"{figures}.commit8"] = many(count // 4)
    found[f"{figures}.get"] = rate(5 * count, gets, handle, 5 * count)
    found[f"{figures}.bulk"] = rate(5000, bulk, handle, 5000)
    print(json.dumps(found))


if sys.argv[1] == "client":
    client(int(sys.argv[2]), sys.argv[3])
else:
    main(int(sys.argv[1]), *sys.argv[2:])
