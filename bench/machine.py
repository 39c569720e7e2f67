"""The machine that figures are of."""

import os
import platform


def describe() -> dict[str, str | int]:
    """What a reader must know to compare."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 0,
        "processor": processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
    }


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
