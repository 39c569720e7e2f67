"""Pings of many ranks at once: one request down the tree, and when the answers are there."""

import time
from errno import EINVAL
from math import sqrt

from flux.base.gathered import TOPIC, Gathered, question
from flux.base.idset import IDset
from flux.commands.complaint import complain
from flux.core.handle import Flux


class Roundtrip:
    """Asks a service on a set of ranks, waits for all, and shows the shortest, mean and longest time."""

    def __init__(self, handle: Flux, ranks: str, service: str, pad: int) -> None:
        self._handle, self._ranks, self._service, self._pad = handle, ranks, service, "p" * pad

    def run(self, limit: int, interval: float) -> int:
        """Asks `limit` times (0: without an end), one after the other. Returns 1 if a rank has refused."""
        code, number = 0, 0
        while not limit or number < limit:
            if number:
                time.sleep(interval)
            code |= self._ask(number)
            number += 1
        return code

    def _ask(self, number: int) -> int:
        payload = {"seq": number, "pad": self._pad}
        asked = question(f"{self._service}.ping", payload, self._ranks) | {"single": True}
        begun, answered, times = time.monotonic(), IDset(), list[float]()
        refused: dict[str, IDset] = {}
        for found in map(Gathered.read, self._handle.stream(TOPIC, asked)):
            elapsed = (time.monotonic() - begun) * 1000
            for ranks, answer in found.answers:
                if answer["pad"] != self._pad:
                    raise OSError(EINVAL, f"{self._service}.ping: padding contents invalid")
                answered.add(ranks)
                times += [elapsed] * len(ranks)
            for refusal in found.errors:
                refused.setdefault(refusal.text, IDset()).add(refusal.ranks)
        for text, ranks in refused.items():
            complain("flux-ping", f"{ranks}!{self._service}.ping: {text}")
        if times:
            print(f"{answered}!{self._service}.ping pad={len(self._pad)} seq={number} {_summary(times)}", flush=True)
        return 1 if refused else 0


def _summary(times: list[float]) -> str:
    mean = sum(times) / len(times)
    deviation = sqrt(sum((each - mean) ** 2 for each in times) / len(times))
    return f"time=({min(times):0.3f}:{mean:0.3f}:{max(times):0.3f}) ms stddev {deviation:0.3f}"
