"""events.py COUNT: events that a client publishes and hears."""

from __future__ import annotations

import json
import sys
import time

import flux

WINDOW = 200


def turn(handle: flux.Flux) -> None:
    """Publishes some, and waits until all have come."""
    answers = [handle.rpc("event.publish", {"topic": "bench.tick", "flags": 0}) for _ in range(WINDOW)]
    for answer in answers:
        answer.get()
    for _ in range(WINDOW):
        handle.event_recv()


def main(count: int) -> None:
    """Measures."""
    handle = flux.Flux()
    handle.event_subscribe("bench.")
    turn(handle)
    begun = time.perf_counter()
    for _ in range(count // WINDOW):
        turn(handle)
    print(json.dumps({"events": count // WINDOW * WINDOW / (time.perf_counter() - begun)}))


main(int(sys.argv[1]))
