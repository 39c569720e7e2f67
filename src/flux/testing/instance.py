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
from flux.broker.session import Session, Ways
from flux.modules.api.access import stamp
from flux.modules.api.client import Client
from flux.overlay.lifecycle import State
from flux.overlay.node import Node
from flux.overlay.routes import Claim
from flux.overlay.topology import topology
from flux.runtime.wiring import Ears
from flux.service import Stream
from flux.service.asker import Asker
from flux.testing.network import CALM, Network, Weather
from flux.testing.share import Share
from flux.testing.traces import traces
from flux.testing.virtual import Stuck, VirtualLoop
from flux.wire.message import LOCAL, OWNER, Event, Message, Request, Response

OWNER_ID = 1000
"""The user id of a session's owner."""
SETTLING = 5.0
"""Virtual seconds in which all that is on its way arrives."""
MOST_ROUNDS = 100
"""How often that is waited for, when the last event gets lost again and again."""
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

    def signal(self, signum: int) -> bool:
        """Nobody sends signals here."""
        return True


class Face(Asker):
    """A client of one simulated broker: asks in its own name, hears events, serves, and is gone when it leaves."""

    name = "client"

    def __init__(self, broker: "SimBroker", client: Client) -> None:
        super().__init__(broker.host)
        self.id, self.client = client.hop, client
        self._share = broker.share
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        """The events that it subscribed to."""
        self.asked: asyncio.Queue[Any] = asyncio.Queue()
        """The requests for services of its own."""

    def listen(self, prefix: str) -> "asyncio.Queue[Any]":
        """Subscribes; events come out of the queue."""
        self.client.subscribe(prefix)
        self.subscribe(prefix)
        return self.heard

    def send(self, msg: Message) -> None:
        """Hands a message to the broker, as the connector does with a client's."""
        stamp(msg, self.client.userid, self.client.rolemask)
        if isinstance(msg, Request):
            self.client.contacted(msg)
        self._share.do(super().send, msg)

    def deliver(self, msg: Message) -> None:
        """Takes what the broker has for it."""
        if isinstance(msg, Response):
            self.answered(msg)
        else:
            (self.heard if isinstance(msg, Event) else self.asked).put_nowait(msg)


class SimBroker:
    """One broker of a simulation."""

    def __init__(self, instance: "SimInstance", rank: int, modules: tuple[str, ...]) -> None:
        self.instance, self.rank = instance, rank
        instance.everyone.append(self)
        self.uuid = f"{instance.random.getrandbits(128):032x}{rank:04x}"
        self.share = Share()
        loop = instance.loop
        self.node = Node(rank, self.uuid, instance.size, int(self._wall() * 1000))
        self.broker = Broker(self.node, loop, self._wall)
        ears = Ears(self.broker.receive, self.broker.lost, self._noise)
        self.links = instance.network.links(self.uuid, ears, self.share.context)
        self.broker.links = self.links
        self.attributes = AttributeTable(CHANGEABLE | IN_MEMORY | instance.settings)
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
        for port, value in self._ports().items():
            self.host.offer(port, value)
        ways = Ways(lambda: instance.first_parent(rank), self._reach, self._reach_ring)
        self.session = Session(self.broker, self.host, self.life, self.modules, ways, self.program, modules)
        self.session.ended.add_done_callback(lambda ended: self.links.close())
        self._faces = 0

    @property
    def claim(self) -> Claim:
        """Where it is found."""
        return Claim(self.rank, self.uuid, 0)

    def begin(self) -> None:
        """Starts its life."""
        self.share.do(self.session.begin)

    def _reach(self, claim: Claim, patient: bool) -> None:
        self.links.connect(claim.uuid)

    def _reach_ring(self, claim: Claim) -> None:
        self.links.connect_ring(claim.uuid)

    def client(self, userid: int = OWNER_ID, rolemask: int = OWNER | LOCAL) -> Face:
        """A new client of this broker; the session's owner unless told otherwise."""
        self._faces += 1
        client = Client(f"{self.uuid}-client{self._faces}".encode(), userid, rolemask)
        face = Face(self, client)
        self.broker.attach(face.id, face.deliver)
        return face

    def leave(self, face: Face) -> None:
        """A client hangs up, in the middle of whatever it was doing."""
        self.share.do(self._leave, face)
        self.instance.gone.add(face.id)

    def _leave(self, face: Face) -> None:
        for prefix in face.client.subscriptions:
            self.host.unsubscribe(prefix, face.id)
        for farewell in face.client.farewells():
            self.host.send(farewell, face.id)
        self.broker.detach(face.id)

    async def rpc(self, topic: str, payload: dict[str, Any] | None = None, **where: Any) -> dict[str, Any]:
        """Asks as a client of its own."""
        face = self.client()
        try:
            return await face.rpc(topic, payload, **where)
        finally:
            self.leave(face)

    async def stream(self, topic: str, payload: dict[str, Any] | None = None) -> AsyncIterator[dict[str, Any]]:
        """Asks for a stream as a client of its own."""
        face = self.client()
        stream: Stream = face.stream(topic, payload)
        try:
            async for answer in stream:
                yield answer
        finally:
            self.leave(face)

    def _ports(self) -> dict[str, Any]:
        return {
            "life": self.life,
            "topology": self.instance.tree,
            "modules": self.modules,
            "unload": self.modules.unload,
            "machine": lambda: ("0-3", "", 0),
            "cores": lambda: (),
            "open": lambda: "",
            "panic": lambda reason: self.instance.kill(self.rank),
            "stderr": self.instance.stderr.append,
            "syslog": lambda severity, text: self.instance.syslog.append(text),
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
        late: frozenset[int] = frozenset(),
    ) -> None:
        self.loop, self.size, self.random, self.spawn = loop, size, Random(seed), spawn
        self.settings = settings or {}
        self.late = late
        """The ranks that begin only when a scenario says so."""
        self.tree = topology(topo, size)
        self.network = Network(loop, self.random, weather)
        self.stderr: list[str] = []
        self.noise: list[str] = []
        self.syslog: list[str] = []
        self.brokers: list[SimBroker] = []
        self.everyone: list[SimBroker] = []
        """Also those that others have followed under their rank."""
        self.dead: set[int] = set()
        self.gone: set[bytes] = set()
        """The clients that have left."""
        self.modules = modules if modules is not None else SIMULATED
        for rank in range(size):
            self.brokers.append(SimBroker(self, rank, self.modules))

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
            if broker.rank not in self.late:
                broker.begin()
        if await running > State.RUN:
            raise AssertionError(f"the session did not come up: {self[0].session.failure}")

    async def down(self) -> None:
        """Ends the session in order and checks what must hold at the end of every simulation."""
        await self.settle()
        self.check_traces()
        if self[0].program is not None:
            self[0].program.stop()
        codes = await asyncio.gather(*(broker.session.ended for broker in self.alive))
        self.check(codes)

    @property
    def alive(self) -> list[SimBroker]:
        """The brokers that were not killed."""
        return [broker for broker in self.brokers if broker.rank not in self.dead]

    async def settle(self) -> None:
        """Lets arrive what is on its way, and everybody hear the last event."""
        for _ in range(MOST_ROUNDS):
            await asyncio.sleep(SETTLING)
            if not any(self._behind(broker.node) for broker in self.alive):
                break

    def _behind(self, node: Node) -> bool:
        return node.joined and node.events.last < self[0].node.events.last

    def first_parent(self, rank: int) -> Claim:
        """Whom a broker attaches to first: who is above it in the tree and lives."""
        above = self.tree.parent(rank) or 0
        while above in self.dead:
            above = self.tree.parent(above) or 0
        return self.brokers[above].claim

    # -- faults -----------------------------------------------------------------------------------------------------

    def kill(self, rank: int, *, told: bool = True) -> None:
        """A broker dies without a word. Its neighbours notice, unless its host is gone with it."""
        broker = self.brokers[rank]
        self.dead.add(rank)
        broker.broker.links = None
        broker.share.end()
        self.network.kill(broker.uuid, told=told)

    def rejoin(self, rank: int) -> SimBroker:
        """A new broker of a rank that was dead joins the session."""
        self.dead.discard(rank)
        self.brokers[rank] = SimBroker(self, rank, self.modules)
        self.brokers[rank].begin()
        return self.brokers[rank]

    def stop(self, rank: int) -> None:
        """A broker does nothing any more, as by SIGSTOP; its connections stand."""
        self.brokers[rank].share.stop()

    def go_on(self, rank: int) -> None:
        """It goes on where it stopped, as by SIGCONT."""
        self.brokers[rank].share.go_on()

    # -- what must hold ---------------------------------------------------------------------------------------------

    def release(self) -> None:
        """Nothing is stopped any more: all can come to rest."""
        for broker in self.everyone:
            broker.share.end()

    def check_traces(self) -> None:
        """An invariant while a session runs: of a client that has left, however, nothing is left anywhere."""
        for broker in self.alive:
            inside = broker.broker
            tables = (inside.node.router.pending, inside.subscriptions, *inside.services.values())
            left = traces(tables, self.gone, BEYOND)
            assert not left, f"rank {broker.rank} still knows clients that left: {left}"

    def check(self, codes: list[int]) -> None:
        """The invariants of the end: nobody failed, nobody is owed an answer, nothing odd was heard."""
        if not self.dead:
            assert not any(codes), f"exit codes {codes}"
            assert not self.noise, self.noise
        assert not any("Traceback" in line for line in self.stderr), "\n".join(self.stderr)
        for broker in self.alive:
            left = [service.name for service in broker.broker.services.values()]
            assert not left, f"rank {broker.rank} still has {left}"


BEYOND = (
    Broker,
    BrokerHost,
    AttributeTable,
    Life,
    ModuleTable,
    SimBroker,
    SimInstance,
    asyncio.AbstractEventLoop,
    Face,
)
"""What services refer to but is not theirs."""

IN_MEMORY = {"content.backing-module": "content-memory"}
SIMULATED = ("heartbeat", "live", "content", "content-memory", "kvs", "barrier")
"""The modules of run level 1 in a simulation: those that need no processes."""

Scenario = Callable[[SimInstance], Awaitable[None]]


LIMIT = 3600.0
"""Virtual seconds that a scenario may take: a heart that beats keeps a session from being Stuck that waits in vain."""


def simulate(scenario: Scenario, size: int, seed: int = 0, **how: Any) -> SimInstance:
    """Runs a scenario in a session of `size` brokers, from wire-up to the last broker's end. Same seed, same run."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def play() -> SimInstance:
            instance = SimInstance(asyncio.get_running_loop(), size, seed, **how)
            try:
                async with asyncio.timeout(LIMIT) as limit:
                    await instance.up()
                    await scenario(instance)
                    await instance.down()
            except TimeoutError:
                if not limit.expired():
                    raise  # the scenario's own
                raise Stuck(f"not done after {LIMIT:.0f} virtual seconds") from None
            finally:
                instance.release()
            return instance

        return runner.run(play())
