"""What the key-value store promises, kept while much goes wrong: cases as those in chaos.py."""

import asyncio
from random import Random
from typing import Any

from flux.base import treeobj
from flux.testing.sim import SimBroker, SimInstance
from tests.sim.cases import CASES, case
from tests.sim.chaos import WHOLE
from tests.sim.storm import EVERYTHING, Fault, Storm, Strength
from tests.sim.witness import Witness

__all__ = ["CASES"]

PATIENCE = 120.0
"""Seconds in which everybody who lives has answered."""
WRITERS = 6
PRIMARY = {"namespace": "primary", "flags": 0}


def some(seed: int) -> int:
    """How many brokers."""
    return Random(seed).randrange(1, 24)


class Keeping:
    """Writers and readers all over a session. What a writer puts at its key only grows."""

    def __init__(self, flux: SimInstance) -> None:
        self.flux, self.random = flux, flux.random
        self.wrong: list[str] = []
        self._acknowledged: dict[str, list[tuple[int, int]]] = {}
        """By key: (version, value) of each commit that was."""
        self._over = False

    async def work(self) -> None:
        """Writes and reads until it is over."""
        await asyncio.gather(*(self._write(f"w.{n}") for n in range(WRITERS)), *(self._read() for _ in range(WRITERS)))

    def over(self) -> None:
        """Nobody begins anything any more."""
        self._over = True

    async def _write(self, key: str) -> None:
        number = 0
        while not self._over:
            await asyncio.sleep(self.random.random() * 0.5)
            number += 1
            broker = self.random.choice(self.flux.alive)
            value = b"%d" % number + b" " * self.random.choice((0, 0, 200))
            try:
                root = await self._ask(broker, "kvs.commit", _commit(key, value))
                self._acknowledged.setdefault(key, []).append((root["rootseq"], number))
                seen = await self._look(broker, key)
            except OSError:
                continue
            if seen[1] < number:
                self.wrong.append(f"rank {broker.rank} does not read its own {key} = {number}, but {seen[1]}")

    async def _read(self) -> None:
        while not self._over:
            broker = self.random.choice(self.flux.alive)
            last = 0
            for _ in range(self.random.randrange(1, 9)):
                await asyncio.sleep(self.random.random() * 0.5)
                key = f"w.{self.random.randrange(WRITERS)}"
                try:
                    version, value = await self._look(broker, key)
                except OSError:
                    break
                if version < last:
                    self.wrong.append(f"rank {broker.rank}: version {version} after {last}")
                last = version
                self._check(broker, key, version, value)

    def _check(self, broker: SimBroker, key: str, version: int, value: int) -> None:
        """What was acknowledged at a version is in that snapshot and in all later ones."""
        least = max((number for at, number in self._acknowledged.get(key, ()) if at <= version), default=0)
        if value < least:
            self.wrong.append(f"rank {broker.rank}: {key} = {value} in version {version}, but {least} was acknowledged")

    async def _look(self, broker: SimBroker, key: str) -> tuple[int, int]:
        found = await self._ask(broker, "kvs.lookup-plus", PRIMARY | {"key": key})
        return found["rootseq"], int(treeobj.value_of(found["val"])) if "val" in found else 0

    async def _ask(self, broker: SimBroker, topic: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Asks. Nobody answers on a broker that dies."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await broker.rpc(topic, payload)
        except TimeoutError:
            if broker in self.flux.alive:
                self.wrong.append(f"rank {broker.rank} does not answer {topic}")
            raise

    async def check(self) -> None:
        """At the end every rank has everything."""
        root = await self.flux[0].rpc("kvs.getroot", PRIMARY)
        for broker in self.flux.alive:
            await broker.rpc("kvs.wait-version", PRIMARY | {"rootseq": root["rootseq"]})
            for key in self._acknowledged:
                version, value = await self._look(broker, key)
                self._check(broker, key, version, value)


def _commit(key: str, value: bytes) -> dict[str, Any]:
    return PRIMARY | {"ops": [{"key": key, "flags": 0, "dirent": treeobj.val(value)}]}


async def _weather_out(flux: SimInstance, faults: tuple[Fault, ...], strength: Strength) -> None:
    storm, keeping = Storm(flux, strength), Keeping(flux)
    witness = Witness(flux, storm)
    working = asyncio.ensure_future(keeping.work())
    try:
        if flux.size > 1:
            await storm.blow(faults)
        await asyncio.sleep(WHOLE)
        witness.over()
        keeping.over()
        await working
        await keeping.check()
        assert not keeping.wrong, "\n".join(keeping.wrong)
    except BaseException as error:
        error.add_note("\n".join(storm.story))
        raise


@case(some)
async def what_was_acknowledged_is_in_every_later_snapshot_on_every_rank(flux: SimInstance) -> None:
    await _weather_out(flux, EVERYTHING, Strength(flux.random.randrange(1, 8), 4.0, 20.0))


@case(some)
async def fences_are_passed_whole_or_not_at_all_while_brokers_move(flux: SimInstance) -> None:
    """Each fence puts a key for each caller: all of them are there, or none."""
    storm = Storm(flux, Strength(flux.random.randrange(5, 30), 0.5, 1.0))

    async def caller(n: int) -> None:
        broker = flux[n % flux.size]
        for turn in range(6):
            await asyncio.sleep(flux.random.random() * 0.5)
            op = {"key": f"f.{turn}.{n}", "flags": 0, "dirent": treeobj.val(b"1")}
            append = {"key": f"f.{turn}.log", "flags": 32, "dirent": treeobj.val(b"%d " % n)}
            root = await broker.rpc("kvs.fence", PRIMARY | {"name": "f", "nprocs": callers, "ops": [op, append]})
            found = await broker.rpc("kvs.lookup", PRIMARY | {"key": f"f.{turn}", "flags": 1})
            assert root["rootseq"] == turn + 1 and len(found["val"]["data"]) == callers + 1
            log = await broker.rpc("kvs.lookup", PRIMARY | {"key": f"f.{turn}.log"})
            assert sorted(map(int, treeobj.value_of(log["val"]).split())) == list(range(callers))

    callers = flux.size + 3
    moving = asyncio.ensure_future(storm.blow((Storm.move,) if flux.size > 1 else ()))
    await asyncio.gather(*map(caller, range(callers)))
    moving.cancel()
