"""Faults of a simulated session, as the seed has them: what goes wrong, for how long, and who has had part in it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from flux.overlay.lifecycle import State
from flux.overlay.router import UPWARD
from flux.testing.instance import SimBroker, SimInstance
from flux.testing.network import Wall

Fault = Callable[["Storm"], Awaitable[None]]


ONLY_0 = frozenset({0})
"""Who is spared: without rank 0 there is no session."""


class Strength(NamedTuple):
    """How bad it gets."""

    faults: int
    """How many things go wrong."""
    every: float
    """Seconds from one to the next, at most."""
    longest: float
    """Seconds that one lasts, at most."""


class Storm:
    """Lets things go wrong, several at a time. When it is over all is well again, but who is dead stays dead."""

    def __init__(self, flux: SimInstance, strength: Strength, *, spared: frozenset[int] = ONLY_0) -> None:
        self.flux, self._strength, self._spared = flux, strength, spared
        self.random = flux.random
        self.touched: set[int] = set()
        """The ranks to which something has happened."""
        self.story: list[str] = []
        """What went wrong, for who has to find out why."""
        self.born: list[Callable[[SimBroker], None]] = []
        """Who is told of brokers that come back."""
        self._stopped: set[int] = set()
        self._coming: dict[SimBroker, asyncio.Future[str]] = {}
        """Those that have come back, until they run, have ended, or are dead again."""

    async def blow(self, faults: "tuple[Fault, ...]") -> None:
        """Lets it all happen; returns when the last fault is over."""
        going = []
        for _ in range(self._strength.faults):
            await asyncio.sleep(self.random.random() * self._strength.every)
            going.append(asyncio.ensure_future(self.random.choice(faults)(self)))
        await asyncio.gather(*going)

    # -- what faults need -------------------------------------------------------------------------------------------

    def tell(self, text: str, *ranks: int) -> None:
        """Notes what happens to whom."""
        self.touched |= set(ranks)
        self.story.append(f"{self.flux.now():9.3f} {text}")

    def victim(self) -> int | None:
        """Somebody that lives, to whom something may happen."""
        ranks = [b.rank for b in self.flux.alive if b.rank not in self._spared | self._stopped]
        return self.random.choice(ranks) if ranks else None

    def while_(self) -> float:
        """How long it lasts: mostly short."""
        return self.random.random() ** 2 * self._strength.longest

    def parent(self, rank: int) -> int | None:
        """Who is above a rank now."""
        link = self.flux[rank].node.parent
        return next((b.rank for b in self.flux.alive if link == UPWARD + b.uuid.encode()), None)

    # -- faults -----------------------------------------------------------------------------------------------------

    async def crash(self) -> None:
        """A broker dies, with its host or without; another one of that rank may come later."""
        rank, told = self.victim(), self.random.random() < 0.6
        if rank is None:
            return
        self.tell(f"rank {rank} dies{'' if told else ', and nobody is told'}", rank)
        coming = self._coming.get(self.flux[rank])
        if coming is not None and not coming.done():
            coming.set_result("dead again")
        self.flux.kill(rank, told=told)
        if self.random.random() < 0.6:
            await asyncio.sleep(self.while_())
            await self.come_back(rank)

    async def come_back(self, rank: int) -> None:
        """A new broker of that rank comes, and returns when it runs or has ended."""
        if rank not in self.flux.dead:
            return
        self.tell(f"rank {rank} comes back", rank)
        broker = self.flux.rejoin(rank)
        settled = self._coming[broker] = asyncio.get_running_loop().create_future()

        def told(state: State) -> None:
            if state >= State.RUN and not settled.done():
                settled.set_result(f"in state {state}")

        broker.life.watch(told)
        for tell in self.born:
            tell(broker)
        async with asyncio.timeout(60):
            await settled
        del self._coming[broker]
        broker.life.unwatch(told)
        self.tell(f"rank {rank} is {settled.result()}")

    async def broken_link(self) -> None:
        """The connection between a broker and its parent, or any other, breaks."""
        rank = self.victim()
        if rank is None:
            return
        parent = self.parent(rank)
        other = (
            parent if parent is not None and self.random.random() < 0.7 else self.random.choice(self.flux.alive).rank
        )
        self.tell(f"the connection of ranks {rank} and {other} breaks", rank, other)
        self.flux.network.cut(self.flux[rank].uuid, self.flux[other].uuid)

    async def silent_link(self) -> None:
        """What a broker and its parent send each other does not arrive for a while."""
        rank = self.victim()
        parent = self.parent(rank) if rank is not None else None
        if rank is None or parent is None:
            return
        await self._wall(f"between {rank} and {parent}", {rank}, {parent})

    async def partition(self) -> None:
        """Some brokers, or one with all below it, are cut off from the others."""
        rank = self.victim()
        if rank is None:
            return
        below = [b.rank for b in self.flux.alive if self.flux[rank].node.router.routes.link(b.rank) is not None]
        some = [b.rank for b in self.flux.alive if b.rank not in self._spared and self.random.random() < 0.3]
        inside = {rank, *(below if self.random.random() < 0.6 else some)}
        await self._wall(f"around {sorted(inside)}", inside, None)

    async def _wall(self, where: str, inside: set[int], outside: set[int] | None) -> None:
        silent, broken, seconds = self.random.random() < 0.6, self.random.random(), self.while_()
        self.tell(f"a {'silent ' * silent}wall {where} for {seconds:.1f} s", *inside, *(outside or ()))
        uuids = [self.flux[rank].uuid for rank in sorted(inside)]
        others = None if outside is None else [self.flux[rank].uuid for rank in sorted(outside)]
        wall = Wall(uuids, others, silent=silent)
        self.flux.network.raise_wall(wall)
        await asyncio.sleep(seconds)
        self.flux.network.lift(wall, broken)
        self.tell(f"no wall {where} any more")

    async def slow_broker(self) -> None:
        """Whatever goes to or from a broker takes its time."""
        rank, most, seconds = self.victim(), self.random.uniform(0.05, 4.0), self.while_()
        if rank is None:
            return
        uuid = self.flux[rank].uuid
        self.tell(f"rank {rank} is slow by up to {most:.2f} s, for {seconds:.1f} s", rank)
        self.flux.network.slow(uuid, (0.0, most))
        await asyncio.sleep(seconds)
        self.flux.network.slow(uuid, None)
        self.tell(f"rank {rank} is slow no more")

    async def stopped_broker(self) -> None:
        """A broker does nothing for a while, as by SIGSTOP."""
        rank, seconds = self.victim(), self.while_()
        if rank is None:
            return
        broker = self.flux[rank]
        self._stopped.add(rank)
        self.tell(f"rank {rank} is stopped for {seconds:.1f} s", rank)
        broker.share.stop()
        await asyncio.sleep(seconds)
        broker.share.go_on()
        self._stopped.discard(rank)
        self.tell(f"rank {rank} goes on")

    async def move(self) -> None:
        """Somebody is told to go below somebody else."""
        rank, parent = self.victim(), self.random.randrange(self.flux.size)
        if rank is None:
            return
        self.story.append(f"{self.flux.now():9.3f} rank {rank} is told to go below {parent}")
        face = self.flux[rank].client()
        face.send_request("overlay.reparent", {"rank": parent}, lambda response: self.flux[rank].leave(face))


EVERYTHING: tuple[Fault, ...] = (
    Storm.crash,
    Storm.broken_link,
    Storm.silent_link,
    Storm.partition,
    Storm.slow_broker,
    Storm.stopped_broker,
    Storm.move,
    Storm.move,
)
