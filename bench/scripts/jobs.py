"""jobs.py COUNT [NAME [RUN_DURATION]]: jobs a second, from the first submission until none is left.

With a duration (0.001s) they run nothing (`system.exec.test`). The figures are NAME's (jobs).
"""

from __future__ import annotations

import json
import os
import sys
import time

import flux
from flux.job import JobspecV1, submit_async


def spec(duration: str | None) -> str:
    """One task on one core, that does nothing."""
    made = JobspecV1.from_command(["true"])
    made.cwd = "/"
    made.environment = dict(os.environ)
    if duration is not None:
        made.setattr("system.exec.test.run_duration", duration)
    return str(made.dumps())


def main(count: int, name: str, duration: str | None) -> None:
    """Measures."""
    handle = flux.Flux()
    text = spec(duration)
    submit_async(handle, text).get_id()
    handle.rpc("job-manager.drain", {}).get()
    begun = time.perf_counter()
    futures = [submit_async(handle, text) for _ in range(count)]
    for future in futures:
        future.get_id()
    submitted = time.perf_counter() - begun
    handle.rpc("job-manager.drain", {}).get()
    drained = time.perf_counter() - begun
    print(json.dumps({f"{name}.submit": count / submitted, f"{name}.done": count / drained}))


main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "jobs", sys.argv[3] if len(sys.argv) > 3 else None)
