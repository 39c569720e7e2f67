"""A whole session in one process on virtual time: real nodes, brokers, services and lives on memory links."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import Any

from flux.base.version import INTERFACE
from flux.broker.attributes import AttributeTable
from flux.broker.broker import Broker
from flux.broker.defaults import CHANGEABLE
from flux.broker.host import BrokerHost, Clock
from flux.broker.life import Life
from flux.broker.modules import ModuleTable
from flux.broker.session import Session
from flux.overlay.lifecycle import State
from flux.overlay.node import Node
from flux.overlay.topology import topology
from flux.runtime.wiring import Ears
from flux.service import Service, Stream
from flux.testing.network import CALM, Network, Weather
from flux.testing.virtual import VirtualLoop

EPOCH = 1_700_000_000.0
"""What the wall clock shows when a simulation begins."""


class Outcome:
    """The initial program of a simulated session: ends when it is told to."""

    def __init__(self) -> None:
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self) -> int:
        """Waits for `stop`."""
        return await self._ended

    def stop(self) -> None:
        """Ends with exit code 0."""
        if not self._ended.done():
            self._ended.set_result(0)

    def signal(self, signum: int) -> None:
        """Nobody sends signals here."""


class Face(Service):
    """A client of one simulated broker: asks in its own name, hears events, and is gone when it leaves."""

    name = "client"

    def listen(self, prefix: str) -> "asyncio.Queue[Any]":
        """Subscribes; events come out of the queue."""
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.subscribe(prefix)
        return self.heard

    def deliver(self, msg: Any) -> None:
        """Events go to the queue."""
        if hasattr(msg, "sequence"):
            self.heard.put_nowait(msg)
        else:
            super().deliver(msg)


class SimBroker:
    """One broker of a simulation."""

    def __init__(self, instance: "SimInstance", rank: int, modules: tuple[str, ...]) -> None:
        self.instance, self.rank = instance, rank
        self.uuid = f"{instance.random.getrandbits(128):032x}{rank:04x}"
        loop, tree = instance.loop, instance.tree
        self.node = Node(rank, self.uuid, instance.size)
        self.broker = Broker(self.node, loop, self._wall)
        self.links = instance.network.links(self.uuid, Ears(self.broker.receive, self.broker.lost, self._noise))
        self.broker.links = self.links
        self.attributes = AttributeTable(CHANGEABLE | instance.settings)
        for name, value in (
            ("rank", rank),
            ("size", instance.size),
            ("version", INTERFACE),
            ("hostname", f"sim{rank}"),
        ):
            self.attributes.fix(name, str(value))
        self.life = Life(loop.time)
        self.host = BrokerHost(self.broker, self.attributes, instance.spawn, Clock(self._wall, lambda who: {}))
        self.modules = ModuleTable(self.host, self.broker)
        self.program = Outcome() if rank == 0 else None
        parent = tree.parent(rank)
        for port, value in self._ports().items():
            self.host.offer(port, value)
        self.session = Session(
            self.broker, self.host, self.life, self.modules, lambda: self.connect(parent or 0), self.program, modules
        )
        self._faces = 0

    def connect(self, parent: int) -> None:
        """Connects to a parent and says hello."""
        uuid = self.instance.brokers[parent].uuid
        self.links.connect(uuid)
        self.broker.act(self.node.attach(uuid.encode()))

    def client(self) -> Face:
        """A new client of this broker."""
        self._faces += 1
        face = Face(self.host)
        face.id = f"{self.uuid}-client{self._faces}".encode()
        self.broker.host_service(face)
        return face

    def leave(self, face: Face, *services: str) -> None:
        """A client hangs up."""
        for service in services:
            face.notify(f"{service}.disconnect")
        self.broker.drop_service(face)

    async def rpc(self, topic: str, payload: dict[str, Any] | None = None, **where: Any) -> dict[str, Any]:
        """Asks as a client of its own."""
        face = self.client()
        try:
            return await face.rpc(topic, payload, **where)
        finally:
            self.broker.drop_service(face)

    async def stream(self, topic: str, payload: dict[str, Any] | None = None) -> AsyncIterator[dict[str, Any]]:
        """Asks for a stream as a client of its own."""
        face = self.client()
        stream: Stream = face.stream(topic, payload)
        try:
            async for answer in stream:
                yield answer
        finally:
            self.broker.drop_service(face)

    def _ports(self) -> dict[str, Any]:
        return {
            "life": self.life,
            "topology": self.instance.tree,
            "modules": self.modules,
            "unload": self.modules.unload,
            "stderr": self.instance.stderr.append,
            "logfile": lambda path: self.instance.stderr.append,
        }

    def _wall(self) -> float:
        return EPOCH + self.instance.loop.time()

    def _noise(self, text: str) -> None:
        self.instance.noise.append(f"{self.rank}: {text}")


class SimInstance:
    """A simulated session: `flux[rank]` is a broker of it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        size: int,
        seed: int = 0,
        *,
        topo: str = "kary:2",
        weather: Weather = CALM,
        modules: tuple[str, ...] | None = None,
        settings: dict[str, str] | None = None,
        spawn: Any = None,
    ) -> None:
        self.loop, self.size, self.random, self.spawn = loop, size, Random(seed), spawn
        self.settings = settings or {}
        self.tree = topology(topo, size)
        self.network = Network(loop, self.random, weather)
        self.stderr: list[str] = []
        self.noise: list[str] = []
        self.brokers: list[SimBroker] = []
        self.dead: set[int] = set()
        for rank in range(size):
            self.brokers.append(SimBroker(self, rank, modules if modules is not None else SIMULATED))

    def __getitem__(self, rank: int) -> SimBroker:
        return self.brokers[rank]

    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self.loop.time()

    async def up(self) -> None:
        """Starts all brokers and waits until rank 0 runs."""
        running: asyncio.Future[State] = self.loop.create_future()

        def told(state: State) -> None:
            if state >= State.RUN and not running.done():
                running.set_result(state)

        self[0].life.watch(told)
        for broker in self.brokers:
            broker.session.begin()
        if await running > State.RUN:
            raise AssertionError(f"the session did not come up: {self[0].session.failure}")

    async def down(self) -> None:
        """Ends the session in order and checks what must hold at the end of every simulation."""
        if self[0].program is not None:
            self[0].program.stop()
        alive = [broker for broker in self.brokers if broker.rank not in self.dead]
        codes = await asyncio.gather(*(broker.session.ended for broker in alive))
        self.check(alive, codes)

    def kill(self, rank: int) -> None:
        """A broker dies without a word."""
        broker = self.brokers[rank]
        self.dead.add(rank)
        broker.broker.links = None
        self.network.kill(broker.uuid)

    def check(self, alive: list[SimBroker], codes: list[int]) -> None:
        """The invariants: nobody failed, nobody is owed an answer, nothing odd was heard."""
        if not self.dead:
            assert not any(codes), f"exit codes {codes}"
            assert not self.noise, self.noise
        for broker in alive:
            left = [service.name for service in broker.broker.services.values() if not isinstance(service, Face)]
            assert not left, f"rank {broker.rank} still has {left}"


SIMULATED = ("heartbeat", "content", "content-memory", "kvs", "barrier")
"""The modules of run level 1 in a simulation: those that need no processes."""

Scenario = Callable[[SimInstance], Awaitable[None]]


def simulate(scenario: Scenario, size: int, seed: int = 0, **how: Any) -> SimInstance:
    """Runs a scenario in a session of `size` brokers, from wire-up to the last broker's end. Same seed, same run."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def play() -> SimInstance:
            instance = SimInstance(asyncio.get_running_loop(), size, seed, **how)
            await instance.up()
            await scenario(instance)
            await instance.down()
            return instance

        return runner.run(play())
