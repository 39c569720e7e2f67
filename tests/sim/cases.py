"""What holds in every session, whatever the weather: each case is played on many seeds, by pytest and by the soak."""

import asyncio
from collections.abc import Awaitable, Callable
from errno import ECONNABORTED, EHOSTUNREACH, EINVAL, ENOSYS
from random import Random
from typing import Any, NamedTuple

from flux.base.idset import IDset
from flux.overlay.events import EventLog
from flux.overlay.router import UPWARD
from flux.testing.instance import SIMULATED, Face
from flux.testing.sim import ROUGH, SimBroker, SimInstance, Weather, simulate
from flux.wire.message import ANY, RING, Event, Message, Request, Response, respond
from tests.sim.restless import Restless

Scenario = Callable[[SimInstance], Awaitable[None]]
BEAT = 2.0
"""Seconds from one heartbeat to the next."""
TREES = ("kary:1", "kary:2", "kary:2", "kary:3", "kary:32")


class Case(NamedTuple):
    """A scenario, with the session that it is played in."""

    scenario: Scenario
    size: int | Callable[[int], int]
    """How many brokers, or how many on a seed."""
    weather: Weather
    more: tuple[str, ...]
    """Modules beyond those of every simulation."""

    def play(self, seed: int) -> None:
        """Plays it once: the seed chooses the tree, the weather's moods and what the scenario leaves to chance."""
        how: dict[str, Any] = {"topo": Random(seed).choice(TREES), "weather": self.weather}
        if self.more:
            how |= {"modules": SIMULATED + self.more, "settings": {"local-uri": "local:///simulated"}}
            how["spawn"] = Restless(Random(seed))
        size = self.size if isinstance(self.size, int) else self.size(seed)
        simulate(self.scenario, size, seed, **how)


CASES: dict[str, Case] = {}


def case(
    size: int | Callable[[int], int], weather: Weather = ROUGH, more: tuple[str, ...] = ()
) -> Callable[[Scenario], Scenario]:
    """Adds a scenario to the cases."""

    def add(scenario: Scenario) -> Scenario:
        CASES[getattr(scenario, "__name__")] = Case(scenario, size, weather, more)  # noqa: B009
        return scenario

    return add


async def pause(flux: SimInstance, most: float = 0.05) -> None:
    """A moment that the seed chooses."""
    await asyncio.sleep(flux.random.random() * most)


async def refusal(asked: Awaitable[Any]) -> int:
    """The error number of an answer, 0 for none."""
    try:
        await asked
    except OSError as error:
        return error.errno or -1
    return 0


# -- in order -------------------------------------------------------------------------------------------------------


@case(15)
async def everyone_leaves_a_barrier_together(flux: SimInstance) -> None:
    for _ in range(3):  # the name is free again at once
        entered: list[float] = []
        left: list[float] = []

        async def walk(broker: SimBroker, entered: list[float] = entered, left: list[float] = left) -> None:
            await asyncio.sleep(60 * flux.random.random())
            entered.append(flux.now())
            await broker.rpc("barrier.enter", {"name": "b", "nprocs": flux.size})
            left.append(flux.now())

        await asyncio.gather(*map(walk, flux.brokers))
        assert min(left) >= max(entered)


@case(15)
async def whoever_leaves_a_barrier_breaks_it_for_all(flux: SimInstance) -> None:
    def enter(broker: SimBroker) -> Awaitable[int]:
        return refusal(broker.rpc("barrier.enter", {"name": "b", "nprocs": flux.size + 2}))

    waiting = [asyncio.ensure_future(enter(broker)) for broker in flux.brokers]
    impatient = flux[flux.random.randrange(flux.size)]
    face = impatient.client()
    face.send_request(
        "barrier.enter", {"name": "b", "nprocs": flux.size + 2 + flux.random.randrange(2)}, lambda told: None
    )
    await pause(flux)
    impatient.leave(face)
    answers = await asyncio.gather(*waiting)
    assert set(answers) <= {ECONNABORTED, EINVAL}, answers


@case(7)
async def a_commit_is_there_for_its_caller_at_once_and_versions_never_go_back(flux: SimInstance) -> None:
    seen = dict.fromkeys(range(flux.size), 0)

    def note(rank: int, version: int) -> None:
        assert version >= seen[rank], f"rank {rank} went back from {seen[rank]} to {version}"
        seen[rank] = version

    async def write(broker: SimBroker) -> None:
        for n in range(4):
            await pause(flux)
            op = {"key": f"a.{broker.rank}", "flags": 0, "dirent": {"data": f"MTA{n}", "type": "val", "ver": 1}}
            made = await broker.rpc("kvs.commit", {"ops": [op], "namespace": "primary", "flags": 0})
            assert (await broker.rpc("kvs.getroot", {"namespace": "primary"}))["rootseq"] >= made["rootseq"]
            question = {"key": f"a.{broker.rank}", "flags": 0, "namespace": "primary"}
            assert (await broker.rpc("kvs.lookup", question))["val"]["data"] == f"MTA{n}"

    async def read(broker: SimBroker) -> None:
        for _ in range(10):
            await pause(flux, 0.02)
            note(broker.rank, (await broker.rpc("kvs.getroot", {"namespace": "primary"}))["rootseq"])

    await asyncio.gather(*map(write, flux.brokers), *map(read, flux.brokers))


# -- answers --------------------------------------------------------------------------------------------------------


@case(11)
async def every_request_is_answered_exactly_once(flux: SimInstance) -> None:
    asked: list[list[Response]] = []
    topics = ("broker.ping", "kvs.ping", "nobody.ping", "kvs.nonsense", "content.load", "heartbeat.stats-get")
    for _ in range(60):
        face = flux[flux.random.randrange(flux.size)].client()
        nodeid = flux.random.choice((ANY, *range(flux.size + 1)))
        answers: list[Response] = []
        asked.append(answers)
        topic = flux.random.choice(topics)
        face.send_request(topic, {}, answers.append, nodeid=nodeid, upstream=flux.random.random() < 0.2)
        await pause(flux, 0.005)
    await flux.settle()
    assert [len(answers) for answers in asked] == [1] * len(asked)


@case(11)
async def who_asks_a_client_that_serves_and_leaves_is_told_so(flux: SimInstance) -> None:
    server = flux[flux.random.randrange(flux.size)]
    face = server.client()
    server.broker.register("sink", face.id)
    asking = [asyncio.ensure_future(refusal(b.rpc("sink.a", nodeid=server.rank))) for b in flux.brokers]
    answered = 0
    while answered < 4:
        request = await face.asked.get()
        if request.wants_answer:  # the others say that a client has left
            face.send(respond(request))
            answered += 1
    await pause(flux)
    server.leave(face)
    answers = await asyncio.gather(*asking)
    assert set(answers) <= {0, EHOSTUNREACH, ENOSYS}
    assert answers.count(0) == 4, answers


# -- events ---------------------------------------------------------------------------------------------------------


@case(11)
async def every_subscriber_sees_every_event_once_and_in_the_same_order(flux: SimInstance) -> None:
    ears = [broker.client() for broker in flux.brokers]
    queues = [ear.listen("sim.") for ear in ears]

    async def publish(ear: Face, rank: int) -> None:
        for n in range(6):
            await pause(flux)
            ear.publish(f"sim.{rank}", {"n": n})

    await asyncio.gather(*(publish(ear, rank) for rank, ear in enumerate(ears)))
    heard = [[await queue.get() for _ in range(6 * flux.size)] for queue in queues]
    orders = [[(event.topic, event.body()["n"], event.sequence) for event in events] for events in heard]
    assert all(order == orders[0] for order in orders)
    assert [number for _, _, number in orders[0]] == sorted({number for _, _, number in orders[0]})
    for rank in range(flux.size):
        assert [n for topic, n, _ in orders[0] if topic == f"sim.{rank}"] == list(range(6))
    assert all(queue.empty() for queue in queues)


@case(11)
async def nothing_overtakes_the_events_that_were_sent_before_it(flux: SimInstance) -> None:
    trace: dict[int, list[str]] = {broker.rank: [] for broker in flux.brokers}

    def listen(broker: SimBroker) -> None:
        face = broker.client()

        def note(msg: Message) -> None:
            assert isinstance(msg, Event | Request)
            trace[broker.rank].append(msg.topic)

        face.deliver = note  # type: ignore[method-assign]
        face.listen("event.")
        broker.broker.attach(face.id, note)
        broker.broker.register("sink", face.id)

    for broker in flux.brokers:
        listen(broker)
    sender = flux[0].client()
    for n in range(15):
        sender.publish(f"event.{n}")
        for rank in flux.random.sample(range(flux.size), 4):
            sender.notify(f"sink.{n}", nodeid=rank)
        if flux.random.random() < 0.3:
            await pause(flux)
    await flux.settle()
    for came in trace.values():
        assert [topic for topic in came if topic.startswith("event.")] == [f"event.{n}" for n in range(15)]
        for at, topic in enumerate(came):
            if topic.startswith("sink."):
                assert f"event.{topic[5:]}" in came[:at], came


@case(7, Weather(tree=(0.0001, 0.01), event=(0.0001, 0.02), loss=0.6, encoded=0.1))
async def what_is_lost_beyond_replay_is_said_to_be_lost_and_nothing_else_is_missing(flux: SimInstance) -> None:
    for broker in flux.brokers:
        short = EventLog(kept=4)
        short.last = broker.node.events.last
        broker.node.events = short
    ears = [broker.client() for broker in flux.brokers]
    queues = [ear.listen("sim.") for ear in ears]
    for n in range(40):
        ears[0].publish("sim.event", {"n": n})
        if flux.random.random() < 0.2:
            await pause(flux, 0.1)
    await flux.settle()
    for rank, queue in enumerate(queues):
        heard = [queue.get_nowait().body()["n"] for _ in range(queue.qsize())]
        assert heard == sorted(set(heard))
        if heard != list(range(40)):
            assert "were lost" in await _log(flux[rank]), (rank, heard)


async def _log(broker: SimBroker) -> str:
    face = broker.client()
    lines = [response.data async for response in face.stream("log.dmesg", {"follow": False}).responses()]
    broker.leave(face)
    return "\n".join(line.decode() for line in lines if isinstance(line, bytes))


# -- losses ---------------------------------------------------------------------------------------------------------


async def _kill_one(flux: SimInstance, victim: int) -> None:
    """Kills a broker that all others are talking to: they all get their answer, and those below it stay."""
    online = flux[0].client().stream("groups.get", {"name": "broker.online"})
    server = flux[victim].client()
    flux[victim].broker.register("sink", server.id)
    others = [broker for broker in flux.brokers if broker.rank != victim]
    asking = [asyncio.ensure_future(refusal(broker.rpc("sink.wait", nodeid=victim))) for broker in others]
    above = asyncio.ensure_future(refusal(flux[victim].rpc("groups.get", {"name": "x"}, nodeid=0)))
    await pause(flux, 0.02)
    flux.kill(victim)
    assert set(await asyncio.gather(*asking)) == {EHOSTUNREACH}
    await _until(online, set(range(flux.size)) - {victim})
    assert await refusal(flux[0].rpc("broker.ping", nodeid=victim)) == EHOSTUNREACH
    above.cancel()
    await everybody_reaches_everybody(flux)


async def everybody_reaches_everybody(flux: SimInstance) -> None:
    """All that live can ask all that live, and their routes agree with the tree."""
    alive = flux.alive
    for broker in alive:
        answers = await asyncio.gather(*(broker.rpc("broker.ping", nodeid=other.rank) for other in alive))
        assert [answer["rank"] for answer in answers] == [other.rank for other in alive]
    for broker in alive:
        below = {rank for rank in range(flux.size) if broker.node.router.routes.link(rank) is not None}
        assert below == {other.rank for other in alive if broker.rank in way_up(flux, other.rank)[1:]}


def way_up(flux: SimInstance, rank: int) -> list[int]:
    """A rank and those above it, up to rank 0. There is no loop."""
    ranks = {broker.uuid.encode(): broker.rank for broker in flux.brokers}
    way = [rank]
    while way[-1]:
        parent = flux[way[-1]].node.parent
        assert parent is not None, f"rank {way[-1]} has no parent"
        way.append(ranks[parent.lstrip(UPWARD)])
        assert len(way) <= flux.size, f"a loop: {way}"
    return way


async def _until(online: Any, ranks: set[int]) -> None:
    async for answer in online:
        if set(IDset(answer["members"])) == ranks:
            return


@case(10)
async def a_leaf_that_dies_is_missed_by_nobody_for_long(flux: SimInstance) -> None:
    await _kill_one(flux, flux.size - 1)


@case(10)
async def those_below_a_broker_that_dies_go_on_below_another(flux: SimInstance) -> None:
    await _kill_one(flux, flux.random.randrange(1, flux.size))


@case(10)
async def a_barrier_breaks_when_one_of_its_brokers_dies(flux: SimInstance) -> None:
    entry = {"name": "b", "nprocs": flux.size + 1}
    await asyncio.gather(*(flux[rank].rpc("broker.ping", nodeid=0) for rank in range(flux.size)))
    waiting = [asyncio.ensure_future(refusal(broker.rpc("barrier.enter", entry))) for broker in flux.brokers[:-1]]
    doomed = asyncio.ensure_future(refusal(flux[flux.size - 1].rpc("barrier.enter", entry)))
    await asyncio.sleep(1)
    flux.kill(flux.size - 1)
    assert set(await asyncio.gather(*waiting)) == {ECONNABORTED}
    doomed.cancel()


@case(15)
async def those_who_stay_are_served_while_others_die(flux: SimInstance) -> None:
    ears = {broker.rank: broker.client() for broker in flux.brokers}
    queues = {rank: ear.listen("sim.") for rank, ear in ears.items()}
    asked: dict[int, list[list[Response]]] = {broker.rank: [] for broker in flux.brokers}

    def ask(face: Face, topic: str, payload: dict[str, Any], nodeid: int = ANY) -> None:
        answers: list[Response] = []
        asked[face.host.rank].append(answers)
        face.send_request(topic, payload, answers.append, nodeid=nodeid)

    async def work(broker: SimBroker) -> None:
        face = broker.client()
        for n in range(15):
            await pause(flux, 0.04)
            op = {"key": f"a.{broker.rank}", "flags": 0, "dirent": {"data": "MQ==", "type": "val", "ver": 1}}
            ask(face, "kvs.commit", {"ops": [op], "namespace": "primary", "flags": 0})
            ask(face, "kvs.lookup", {"key": "a", "flags": 1, "namespace": "primary"})
            ask(face, "broker.ping", {}, flux.random.randrange(flux.size))
            face.publish("sim.event", {"rank": broker.rank, "n": n})

    working = [asyncio.ensure_future(work(broker)) for broker in flux.brokers]
    for victim in flux.random.sample(range(1, flux.size), 3):
        await pause(flux, 0.2)
        flux.kill(victim)
    await asyncio.gather(*working)
    await flux.settle()
    staying = [broker.rank for broker in flux.alive]
    await everybody_reaches_everybody(flux)
    for rank in staying:
        assert [len(answers) for answers in asked[rank]] == [1] * 45, f"rank {rank}"
    heard = {rank: [queues[rank].get_nowait() for _ in range(queues[rank].qsize())] for rank in staying}
    orders = [[(event.sequence, event.body()["rank"], event.body()["n"]) for event in heard[rank]] for rank in staying]
    assert all(order == orders[0] for order in orders)
    assert orders[0] == sorted(set(orders[0]))
    for rank in staying:
        published = [n for _, who, n in orders[0] if who == rank]
        assert len(published) == len(set(published))  # what had no number yet may have died with who was to pass it on
        assert flux.tree.parent(rank) or published == list(range(15))


@case(15)
async def those_who_move_are_served_all_along(flux: SimInstance) -> None:
    ears = [broker.client() for broker in flux.brokers]
    queues = [ear.listen("sim.") for ear in ears]
    asked: list[list[Response]] = []

    async def work(broker: SimBroker) -> None:
        face = broker.client()
        for n in range(15):
            await pause(flux, 0.04)
            for topic, payload, nodeid in (
                ("kvs.lookup", {"key": "a", "flags": 1, "namespace": "primary"}, ANY),
                ("broker.ping", {}, flux.random.randrange(flux.size)),
            ):
                asked.append([])
                face.send_request(topic, payload, asked[-1].append, nodeid=nodeid)
            face.publish("sim.event", {"rank": broker.rank, "n": n})

    async def move() -> None:
        for _ in range(6):
            await pause(flux, 0.1)
            rank = flux.random.randrange(1, flux.size)
            await refusal(flux[rank].rpc("overlay.reparent", {"rank": flux.random.randrange(flux.size)}))

    await asyncio.gather(move(), move(), *map(work, flux.brokers))
    await flux.settle()
    await everybody_reaches_everybody(flux)
    assert [(len(answers), answers[0].errnum) for answers in asked] == [(1, answers[0].errnum) for answers in asked]
    assert EHOSTUNREACH not in {answers[0].errnum for answers in asked}
    heard = [[queue.get_nowait() for _ in range(queue.qsize())] for queue in queues]
    orders = [[(event.sequence, event.body()["rank"], event.body()["n"]) for event in events] for events in heard]
    assert all(order == orders[0] for order in orders)
    for rank in range(flux.size):
        assert sorted(n for _, who, n in orders[0] if who == rank) == list(range(15))


@case(9)
async def a_request_goes_round_the_ring_and_past_the_dead(flux: SimInstance) -> None:
    victim = flux.random.randrange(1, flux.size)

    async def around(asker: SimBroker, rank: int) -> int:
        return await refusal(asker.rpc("broker.ping", nodeid=RING | rank))

    for broker in flux.brokers:
        assert await around(broker, flux.random.randrange(flux.size)) == 0
    assert await around(flux[0], flux.size) == EHOSTUNREACH
    flux.kill(victim)
    await flux.settle()
    await asyncio.sleep(3 * BEAT)  # orphans were passed over, and are asked again one by one
    for broker in flux.alive:
        assert [await around(broker, other.rank) for other in flux.alive] == [0] * len(flux.alive)
        assert await around(broker, victim) == EHOSTUNREACH


# -- clients --------------------------------------------------------------------------------------------------------


@case(7)
async def clients_that_leave_in_the_middle_of_anything_leave_no_trace(flux: SimInstance) -> None:
    async def come_and_go(broker: SimBroker) -> None:
        for _ in range(6):
            face = broker.client()
            for _ in range(flux.random.randrange(1, 4)):
                _begin_something(flux, face)
            await pause(flux, 0.02)
            broker.leave(face)

    await asyncio.gather(*map(come_and_go, flux.brokers))


def _begin_something(flux: SimInstance, face: Face) -> None:
    """Asks for something that takes a while, or for ever."""
    primary = {"namespace": "primary"}
    op = {"key": f"a.{flux.random.random()}", "flags": 0, "dirent": {"data": "MQ==", "type": "val", "ver": 1}}
    anything: tuple[tuple[str, dict[str, Any], int], ...] = (
        ("kvs.commit", {"ops": [op], "flags": 0} | primary, ANY),
        ("kvs.lookup", {"key": "a", "flags": 1} | primary, ANY),
        ("kvs.wait-version", {"rootseq": 10_000} | primary, flux.random.choice((ANY, 0))),
        ("barrier.enter", {"name": f"b{flux.random.randrange(3)}", "nprocs": 1000}, ANY),
        ("groups.join", {"name": "g"}, ANY),
        ("broker.ping", {}, flux.random.randrange(flux.size)),
        ("state-machine.wait", {}, flux.random.randrange(flux.size)),
    )
    streams: tuple[tuple[str, dict[str, Any], int], ...] = (
        ("groups.get", {"name": "g"}, 0),
        ("log.dmesg", {"follow": True}, flux.random.randrange(flux.size)),
        ("state-machine.monitor", {}, flux.random.randrange(flux.size)),
    )
    if flux.random.random() < 0.4:
        topic, payload, nodeid = flux.random.choice(streams)
        face.stream(topic, payload, nodeid=nodeid)
    elif flux.random.random() < 0.2:
        face.listen("heartbeat.")
    else:
        topic, payload, nodeid = flux.random.choice(anything)
        face.send_request(topic, payload, lambda response: None, nodeid=nodeid)


# -- processes ------------------------------------------------------------------------------------------------------

PROCESSES = ("rexec", "wreck")


def _begin_processes(flux: SimInstance, face: Face) -> None:
    """Starts a process on some rank, or a job on several, and does something with it."""
    rank = flux.random.randrange(flux.size)
    if flux.random.random() < 0.5:
        command = {"cmdline": ["cat"], "env": {}, "opts": {}, "channels": [], "cwd": "/"}
        stream = face.stream("rexec.exec", {"cmd": command, "flags": 3}, nodeid=rank)
        face.notify(
            "rexec.write", {"matchtag": 1, "io": {"stream": "stdin", "rank": str(rank), "eof": True}}, nodeid=rank
        )
    else:
        ranks = ",".join(map(str, sorted(flux.random.sample(range(flux.size), 3))))
        stream = face.stream("wreck.run", {"command": ["cat"], "environment": {}, "ranks": ranks, "ntasks": 5})
    if flux.random.random() < 0.3:
        stream.cancel()


@case(7, more=PROCESSES)
async def processes_whose_callers_leave_are_killed_and_leave_no_trace(flux: SimInstance) -> None:
    async def come_and_go(broker: SimBroker) -> None:
        for _ in range(3):
            face = broker.client()
            _begin_processes(flux, face)
            await pause(flux, 0.1)
            broker.leave(face)

    await asyncio.gather(*map(come_and_go, flux.brokers))
    await flux.settle()
    assert all(process.ended for process in flux.spawn.processes)


@case(7, more=PROCESSES)
async def a_job_is_told_to_its_end_even_when_one_of_its_brokers_dies(flux: SimInstance) -> None:
    victim = flux.random.randrange(1, flux.size)
    below = {rank for rank in range(flux.size) if victim in way_up(flux, rank)}

    async def run(broker: SimBroker) -> list[str]:
        payload = {"command": ["cat"], "environment": {}, "ranks": f"0-{flux.size - 1}", "ntasks": flux.size}
        return [answer["type"] async for answer in broker.stream("wreck.run", payload)]

    jobs = [asyncio.ensure_future(run(broker)) for broker in flux.brokers if broker.rank not in below]
    await pause(flux, 0.2)
    flux.kill(victim)
    for told in await asyncio.gather(*jobs):
        assert told[-1] == "finish"
        assert told.count("finish") == 1
    await flux.settle()
    assert all(process.ended for process in flux.spawn.processes)


class Heard:
    """What a client heard of a job."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self.output: dict[int, str] = {}
        self.ended: dict[str, Any] = {}

    async def run(self, broker: SimBroker, ranks: list[int]) -> None:
        """Runs a task on each of some ranks, asked for on a broker."""
        nodes = str(IDset(ranks))
        job = {"command": ["cat"], "environment": {}, "ranks": nodes, "ntasks": len(ranks)}
        async for answer in broker.stream("wreck.run", job):
            self.types.append(answer["type"])
            if answer["type"] == "output":
                said = answer["data"]["io"]
                task = int(said["rank"])
                self.output[task] = self.output.get(task, "") + said.get("data", "")
            elif answer["type"] == "finish":
                self.ended = answer["data"]


@case(15, more=PROCESSES)
async def jobs_do_not_notice_who_dies_or_moves_between_their_nodes(flux: SimInstance) -> None:
    victims = flux.random.sample(range(1, 7), 3)
    staying = [rank for rank in range(flux.size) if rank not in victims]
    before = len(flux.spawn.processes)
    told: list[Heard] = [Heard() for _ in range(4)]
    jobs = []
    for heard in told:
        ranks = sorted(flux.random.sample(staying, flux.random.randrange(1, 8)))
        jobs.append(asyncio.ensure_future(heard.run(flux[flux.random.choice(staying)], ranks)))
    for victim in victims:
        await pause(flux)
        if flux.random.random() < 0.5:
            mover, goal = flux.random.sample(staying, 2)
            moving = asyncio.ensure_future(refusal(flux[mover].rpc("overlay.reparent", {"rank": goal})))
            moving.add_done_callback(asyncio.Future.result)
        await pause(flux)
        flux.kill(victim)
    await asyncio.gather(*jobs)
    for heard in told:
        assert heard.types.count("finish") == 1
        assert "exception" not in heard.types
        assert heard.ended["status"] == 0
    written = sorted(process.said["stdout"].decode() for process in flux.spawn.processes[before:])
    assert sorted(text for heard in told for text in heard.output.values()) == written


@case(15, more=PROCESSES)
async def what_ends_with_a_broker_is_said_and_the_rest_is_complete(flux: SimInstance) -> None:
    victims = flux.random.sample(range(1, flux.size), 2)
    leader = flux.random.choice([rank for rank in range(flux.size) if rank not in victims])
    heard = Heard()
    job = asyncio.ensure_future(heard.run(flux[leader], list(range(flux.size))))
    await pause(flux, 0.2)
    for victim in victims:
        flux.kill(victim)
        await pause(flux, 0.02)
    await job
    assert heard.types.count("finish") == 1
    lost = set(IDset(heard.ended["exits"].get("9", "")))
    if heard.types.count("start"):  # else all are ended, because not all could begin
        assert lost <= set(victims)
        assert heard.types.count("exception") == len(lost)
        for process in flux.spawn.processes:
            task = int(process.env["FLUX_TASK_RANK"])
            if task not in victims:
                assert heard.output[task] == process.said["stdout"].decode(), task
