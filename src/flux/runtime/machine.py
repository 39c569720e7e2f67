"""What this machine has for jobs: the cores that we may use, memory, GPUs."""

import os
import re
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from flux.base.idset import IDset

KFD = Path("/sys/class/kfd/kfd/topology/nodes")
NVIDIA = Path("/proc/driver/nvidia/gpus")


class Machine(NamedTuple):
    """Cores and GPUs as idsets, memory in MiB."""

    cores: str
    gpus: str = ""
    memory: int = 0


def machine() -> Machine:
    """Looks at the affinity mask, and at what the kernel says of memory and GPUs."""
    gpus = gpu_count()
    return Machine(_cores(), f"0-{gpus - 1}" if gpus > 1 else "0" if gpus else "", _memory())


@cache
def cores() -> tuple[tuple[int, ...], ...]:
    """The logical CPUs that we may use, by core, which may have several threads. () where that is unknown."""
    mask = getattr(os, "sched_getaffinity", None)
    found: dict[str, list[int]] = {}
    for cpu in sorted(mask(0)) if mask is not None else ():
        try:
            core = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
        except OSError:
            core = str(cpu)
        found.setdefault(core, []).append(cpu)
    return tuple(map(tuple, found.values()))


def _cores() -> str:
    """Numbered from 0, whichever they are: so do today's instances, and so does who pins to them."""
    return IDset(range(len(cores()) or os.cpu_count() or 1)).encode()


def _memory() -> int:
    try:
        match = re.search(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        match = None
    if match is None and sys.platform != "linux":
        return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) >> 20
    return int(match[1]) >> 10 if match is not None else 0


def gpu_count() -> int:
    """GPUs that compute: NVIDIA's by their driver, AMD's by the nodes of theirs that have compute units."""
    try:
        found = len(list(NVIDIA.iterdir()))
    except OSError:
        found = 0
    for node in KFD.glob("*/properties"):
        try:
            found += bool(re.search(r"^simd_count [1-9]", node.read_text(), re.MULTILINE))
        except OSError:
            continue
    return found
