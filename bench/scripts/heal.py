"""heal.py SIGNAL: how many seconds after a signal to an inner broker the session is whole again without it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import flux

VICTIM = 1


def main(name: str) -> None:
    """Signals rank 1, follows who is online until everybody but that one is, and wakes it up again."""
    handle = flux.Flux()
    size = int(handle.attr_get("size"))
    pid = int(handle.rpc("attr.get", {"name": "broker.pid"}, nodeid=VICTIM).get()["value"])
    wanted = f"0,2-{size - 1}"
    online = handle.stream("groups.get", {"name": "broker.online"}, nodeid=0)
    for answer in online:
        if answer["members"] == f"0-{size - 1}":
            break
    time.sleep(3 * float(handle.attr_get("heartbeat.period").rstrip("s")))
    begun = time.perf_counter()
    os.kill(pid, getattr(signal, name))
    for answer in handle.stream("groups.get", {"name": "broker.online"}, nodeid=0):
        if answer["members"] == wanted:
            break
    took = time.perf_counter() - begun
    if name == "SIGSTOP":
        os.kill(pid, signal.SIGCONT)
    print(json.dumps({"took": took}))


main(sys.argv[1])
