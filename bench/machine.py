"""The machine that figures are of."""

import os
import platform
import socket
import statistics
import time

PASSES = 2000


def describe() -> dict[str, str | int | list[float]]:
    """What a reader must know to compare."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "processor": processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "round_trip_us": round_trips(),
    }


def round_trips() -> list[float]:
    """Microseconds in which two processes pass some bytes there and back: on one core, then on two where that can be.

    No request can take less, and which of the two it is, the system decides by how busy it is.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [round_trip()]
    mine = os.sched_getaffinity(0)
    first, last = min(mine), max(mine)
    try:
        os.sched_setaffinity(0, {first})
        return [round_trip(), *(round_trip({other}) for other in {last} - {first})]
    finally:
        os.sched_setaffinity(0, mine)


def round_trip(cores: set[int] | None = None) -> float:
    """The same, once; `cores` are the other process's."""
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        here.close()
        if cores:
            os.sched_setaffinity(0, cores)
        _echo(there)
        os._exit(0)
    there.close()
    found = [_pass(here) for _ in range(PASSES)]
    here.close()
    os.waitpid(child, 0)
    return round(statistics.median(found) * 1e6, 1)


def _echo(sock: socket.socket) -> None:
    while data := sock.recv(4096):
        sock.send(data)


def _pass(sock: socket.socket) -> float:
    begun = time.perf_counter()
    sock.send(b"x" * 64)
    sock.recv(4096)
    return time.perf_counter() - begun


def processor() -> str:
    """Its name, where the system tells."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return platform.processor()


def noise() -> float | None:
    """How busy the machine is with other things: its load average."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
