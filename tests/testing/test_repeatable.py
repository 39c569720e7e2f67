"""Same seed, same run: also in another process, where sets and hashes have another order."""

import os
import subprocess
import sys

RUN = """
import asyncio
from flux.testing.instance import simulate
from flux.testing.network import ROUGH

async def scenario(flux):
    async def walk(rank):
        client = flux[rank].client()
        for _ in range(3):
            await asyncio.sleep(flux.random.random())
            await client.rpc("barrier.enter", {"name": "b", "nprocs": 15})
            print(rank, flux.now())
    await asyncio.gather(*map(walk, range(15)))

print(simulate(scenario, 15, 5, weather=ROUGH, modules=("heartbeat", "barrier")).network.messages)
"""


def test_a_run_depends_on_its_seed_alone() -> None:
    runs = [
        subprocess.run(
            [sys.executable, "-c", RUN],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2", "3")
    ]
    assert runs[0] and runs[0] == runs[1] == runs[2]
