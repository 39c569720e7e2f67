"""The memory of a whole session: the proportional set sizes of the processes that it consists of."""

import os
import subprocess
from pathlib import Path

from bench.contender import Contender, Value, environment

PROC = Path("/proc")


def session(flux: Contender, size: int) -> Value:
    """Megabytes of a session of `size` in which nothing happens; what runs in it is not counted."""
    if not Path(f"/proc/{os.getpid()}/smaps_rollup").exists():
        return "not on this system"
    words = [flux.flux, "start", "-s", str(size), "sh", "-c", "echo $$; exec cat"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(flux.flux)
    ) as launcher:
        assert launcher.stdin is not None
        assert launcher.stdout is not None
        guest = int(launcher.stdout.readline())
        total = sum(proportional_kb(pid) for pid in descendants(launcher.pid, parents()) if pid != guest)
        launcher.stdin.close()
    return total / 1024


def parents() -> dict[int, int]:
    """Of each process its parent."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            found[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    return found


def descendants(root: int, parent: dict[int, int]) -> list[int]:
    """A process, its children, and theirs."""
    children = [pid for pid, above in parent.items() if above == root]
    return [root, *(below for child in children for below in descendants(child, parent))]


def proportional_kb(pid: int) -> int:
    """Its share of each page it has, in kilobytes."""
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
