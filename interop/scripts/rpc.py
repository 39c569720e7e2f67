"""rpc.py [-s COUNT] RANK TOPIC PAYLOAD: what a service answers; of a stream, COUNT answers. For either's Python."""

from __future__ import annotations

import json
import os
import sys

import flux
from flux.constants import FLUX_RPC_STREAMING


def main(count: int, rank: int, topic: str, payload: str) -> None:
    """Asks, and prints each answer in a line; a refusal ends it."""
    rpc = flux.Flux().rpc(topic, json.loads(payload), rank, FLUX_RPC_STREAMING if count else 0)
    for _ in range(count or 1):
        print(json.dumps(rpc.get(), sort_keys=True), flush=True)
        rpc.reset()


count = 0
words = sys.argv[1:]
if words[0] == "-s":
    count, words = int(words[1]), words[2:]
try:
    main(count, int(words[0]), words[1], words[2])
except OSError as error:
    print(os.strerror(error.errno or 0))
    print(f"rpc: {error.strerror}", file=sys.stderr)
    sys.exit(1)
os._exit(0)  # a stream that nobody reads to its end: either Flux hears of that by the connection's
