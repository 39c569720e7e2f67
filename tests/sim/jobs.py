"""Jobs in sessions where much goes wrong: cases as those in keeping.py. Jobs run nothing; what is asked is whether each
that was acknowledged comes to its end, once, and whether what it had is free again."""

import asyncio
from random import Random
from typing import Any

from flux.base.rset import ResourceSet
from flux.testing.sim import SimInstance
from tests.jobs.mock import MODULES, check, events, jobspec, submit
from tests.sim.cases import case
from tests.sim.chaos import WHOLE
from tests.sim.keeping import CASES
from tests.sim.storm import EVERYTHING, Storm, Strength
from tests.sim.witness import Witness

__all__ = ["CASES"]

MORE = tuple(name for name in MODULES if name not in ("heartbeat", "live", "content", "content-memory", "kvs"))
ANSWERED = 120.0
"""Seconds in which everybody who lives has answered."""
PATIENCE = 600.0
"""Seconds in which all jobs that can run have done so."""


def some(seed: int) -> int:
    """How many brokers: mostly few, up to 100."""
    return int(2 * 50 ** Random(seed).random())


ALL_THAT_WAIT = {"dry_run": False, "userid": 0xFFFFFFFF, "states": 14, "severity": 0, "type": "cancel"}


class Users:
    """Who submits jobs, all over a session, and cancels, holds and hurries some of them."""

    def __init__(self, flux: SimInstance) -> None:
        self.flux, self.random = flux, flux.random
        self.acknowledged: list[int] = []
        self._over = False

    async def work(self) -> None:
        """Submits until it is over."""
        await asyncio.gather(*(self._submit() for _ in range(4)), self._meddle())

    def over(self) -> None:
        """Nobody submits any more."""
        self._over = True

    async def _submit(self) -> None:
        while not self._over:
            await asyncio.sleep(self.random.random() * 4)
            try:
                spec = jobspec(f"{self.random.random() * 5:.3f}s", **self._shape())
                async with asyncio.timeout(ANSWERED):  # nobody answers on a broker that dies
                    self.acknowledged.append(await submit(self.random.choice(self.flux.alive), spec))
            except (OSError, TimeoutError):
                continue  # lost on its way, or more than there is

    def _shape(self) -> dict[str, Any]:
        if self.random.random() < 0.2:
            return {"nodes": self.random.randrange(1, 4)}
        dependencies: dict[str, Any] = {}
        if self.acknowledged and self.random.random() < 0.3:
            other = self.random.choice(self.acknowledged[-10:])
            dependencies = {"dependencies": [{"scheme": "afterany", "value": str(other)}]}
        return {"slots": self.random.randrange(1, 5), **dependencies}

    async def _meddle(self) -> None:
        while not self._over:
            await asyncio.sleep(self.random.random() * 3)
            if not self.acknowledged:
                continue
            id = self.random.choice(self.acknowledged[-20:])
            topic, payload = self.random.choice(
                (
                    ("job-manager.raise", {"severity": 0, "type": "cancel", "note": ""}),
                    ("job-manager.urgency", {"urgency": self.random.randrange(1, 31)}),
                    ("job-manager.update", {"updates": {"attributes.system.duration": 600.0}}),
                )
            )
            try:
                await self.flux[0].rpc(topic, {"id": id, **payload})
            except OSError:
                continue  # it is over already


@case(some, more=MORE)
async def every_job_that_was_acknowledged_ends_once_and_what_it_had_is_free(flux: SimInstance) -> None:
    await flux[0].rpc("resource.monitor-waitup", {"up": flux.size})
    storm = Storm(flux, Strength(flux.random.randrange(1, 8), 8.0, 30.0))
    witness, users = Witness(flux, storm), Users(flux)
    working = asyncio.ensure_future(users.work())
    await storm.blow(EVERYTHING)
    await asyncio.sleep(WHOLE)
    users.over()
    witness.over()
    await working
    try:
        async with asyncio.timeout(PATIENCE):
            await flux[0].rpc("job-manager.idle")  # those that need more nodes than are left wait for ever
            await flux[0].rpc("job-manager.raiseall", ALL_THAT_WAIT)
            await flux[0].rpc("job-manager.drain")
            await flux[0].rpc("kvs.commit", {"ops": [], "namespace": "primary", "flags": 0})
        for id in users.acknowledged:
            wrong = check(await events(flux, id))
            assert not wrong, f"job {id}: {wrong}"
        assert (await flux[0].rpc("job-manager.alloc-query"))["running"] == 0
        free = ResourceSet.parse((await flux[0].rpc("resource.sched-status"))["allocated"])
        assert not free, f"still allocated: {free}"
        told = await flux[0].rpc("job-list.job-stats", {})
        assert told["job_states"]["inactive"] == told["job_states"]["total"] >= len(users.acknowledged)
    except BaseException as error:
        left = await flux[0].rpc("job-manager.list", {"max_entries": 5})
        error.add_note("\n".join([*storm.story, f"left: {left}"]))
        raise
