"""Who watches a simulated session while things go wrong: what was answered, what was heard, who left whom."""

import asyncio
from errno import EHOSTUNREACH, ENOENT, ENOSYS
from typing import Any, NamedTuple

from flux.base.idset import IDset
from flux.overlay.lifecycle import State
from flux.overlay.notices import EventsLost, Notice, ParentLost
from flux.overlay.router import LEEWARD, RINGWARD, UPWARD
from flux.testing.instance import Face, SimBroker, SimInstance
from flux.wire.message import ANY, RING, Event, Message, Response
from tests.sim.storm import Storm

MOST_EARS = 24
MOST_WORKERS = 12
MOST_PAIRS = 200
"""Brokers of a large session on whom somebody listens, or works; pairs of them that ask each other at the end."""
MAY_BE = {"kvs.lookup": (ENOENT,)}
"""What some requests may be refused with, besides EHOSTUNREACH."""
FAILED = 2
"""What live calls a broker that has failed."""


class Asked(NamedTuple):
    """A request, and what was answered to it."""

    face: Face
    broker: SimBroker
    topic: str
    nodeid: int
    when: float
    answers: list[Response]
    early: bool
    """Whether that broker did not run yet."""

    @property
    def well(self) -> bool:
        """Whether it was answered exactly once, by whom it was for, or by EHOSTUNREACH."""
        if len(self.answers) != 1:
            return False
        errnum = self.answers[0].errnum
        if errnum == 0 and self.topic == "broker.ping":
            asked, said = self.nodeid & ~RING, self.answers[0].body()["rank"]
            return self.nodeid == ANY or said == asked
        if errnum == ENOSYS and self.early:
            return True
        return errnum in (0, EHOSTUNREACH, *MAY_BE.get(self.topic, ()))


class Ear:
    """Hears all events on one broker: each once, in order, none missing unless it was said to be lost.

    `said` is shared by all ears: an event is the same everywhere.
    """

    def __init__(self, broker: SimBroker, wrong: list[str], said: dict[int, str]) -> None:
        self.broker, self._wrong, self._said = broker, wrong, said
        self.last = 0
        self._lost = 0
        face = broker.client()
        broker.broker.hearers.append(self._notice)
        broker.broker.attach(face.id, self._hear)
        face.listen("")

    def _notice(self, notice: Notice) -> None:
        if isinstance(notice, EventsLost):
            self._lost = notice.last

    def misses(self, number: int) -> bool:
        """Whether it should have heard that event, and has not."""
        return self.last > 0 and max(self.last, self._lost) < number

    def _hear(self, msg: Message) -> None:
        if not isinstance(msg, Event):
            return
        came, last = msg.sequence, self.last
        if last and (came <= last or (came > last + 1 and self._lost < came - 1)):
            self._wrong.append(f"rank {self.broker.rank}: event {came} after {last}, lost up to {self._lost}")
        text = f"{msg.topic} {msg.body()}"
        if self._said.setdefault(came, text) != text:
            self._wrong.append(f"rank {self.broker.rank}: event {came} is {text}, elsewhere {self._said[came]}")
        self.last = came


class Witness:
    """Asks, publishes and listens all over a session, and checks what must hold, meanwhile and at the end."""

    def __init__(self, flux: SimInstance, storm: Storm) -> None:
        self.flux, self.storm, self.random = flux, storm, flux.random
        self.wrong: list[str] = []
        """What must not have been."""
        self._asked: list[Asked] = []
        self._said: dict[int, str] = {}
        self._committed: dict[str, str] = {}
        self._keys = 0
        self._over = False
        ranks = list(range(flux.size))
        heard = ranks if flux.size <= MOST_EARS else [0, *self.random.sample(ranks[1:], MOST_EARS - 1)]
        self._ears = [Ear(flux[rank], self.wrong, self._said) for rank in heard]
        for broker in flux.brokers:
            self._watch(broker)
        storm.born.append(self._born)
        face = flux[0].client()
        flux[0].broker.attach(face.id, self._cstate)
        face.listen("live.cstate")

    # -- what goes on -----------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Asks and publishes until it is over, on brokers all over the tree."""
        await asyncio.gather(self._look(), *(self._work() for _ in range(min(self.flux.size, MOST_WORKERS))))

    def over(self) -> None:
        """Nobody asks any more."""
        self._over = True

    async def _work(self) -> None:
        while not self._over:
            broker = self.random.choice(self.flux.alive)
            face = broker.client()
            for _ in range(self.random.randrange(1, 4)):
                self._something(face, broker)
            await asyncio.sleep(self.random.random() * 2)
            if self.random.random() < 0.3 and broker in self.flux.alive:
                self._asked = [asked for asked in self._asked if asked.face is not face]
                broker.leave(face)

    def _something(self, face: Face, broker: SimBroker) -> None:
        rank = self.random.randrange(self.flux.size + 1)
        match self.random.randrange(8):
            case 0:
                self._keys += 1
                key, value = f"c{self._keys}", f"{self.random.randrange(10)}A=="
                op = {"key": key, "flags": 0, "dirent": {"data": value, "type": "val", "ver": 1}}
                payload = {"ops": [op], "namespace": "primary", "flags": 0}
                self.ask(face, broker, "kvs.commit", payload).key = (key, value)
            case 1:
                self.ask(face, broker, "kvs.lookup", {"key": "c1", "flags": 0, "namespace": "primary"})
            case 2:
                self.ask(face, broker, "overlay.stats-get", {}, nodeid=0)
            case 3:
                self.ask(face, broker, "broker.ping", {}, nodeid=RING | rank)
            case 4:
                self.ask(face, broker, "broker.ping", {}, upstream=True)
            case 5:
                face.publish("sim.event", {"rank": rank})
            case _:
                self.ask(face, broker, "broker.ping", {}, nodeid=self.random.choice((ANY, rank, rank, rank)))

    def ask(self, face: Face, broker: SimBroker, topic: str, payload: dict[str, Any], **where: Any) -> "Answer":
        """Asks, and keeps what is answered."""
        answer = Answer(self, broker, next((ear for ear in self._ears if ear.broker is broker), None))
        early = broker.life.state < State.RUN
        asked = Asked(face, broker, topic, where.get("nodeid", ANY), self.flux.now(), answer.came, early)
        self._asked.append(asked)
        face.send_request(topic, payload, answer.take, **where)
        return answer

    def committed(self, key: str, value: str) -> None:
        """A commit was acknowledged."""
        self._committed[key] = value

    def _born(self, broker: SimBroker) -> None:
        self._watch(broker)
        self._ears.append(Ear(broker, self.wrong, self._said))

    # -- all along --------------------------------------------------------------------------------------------------

    def _watch(self, broker: SimBroker) -> None:
        """Nobody leaves, and nobody is left, but those to whom something has happened."""
        flux, storm = self.flux, self.storm
        names = {b.uuid.encode(): b.rank for b in flux.everyone}

        def told(notice: Notice) -> None:
            if isinstance(notice, ParentLost) and notice.parent and broker.life.state <= State.RUN:
                names.update((b.uuid.encode(), b.rank) for b in flux.everyone)
                parent = names[notice.parent.lstrip(UPWARD)]
                storm.story.append(f"{flux.now():9.3f} rank {broker.rank} loses {parent}: {notice.reason}")
                if not storm.touched & {broker.rank, parent}:
                    self.wrong.append(f"rank {broker.rank} has lost rank {parent}, and neither was touched")

        def ended(state: State) -> None:
            if state > State.RUN and not self._over and broker.rank not in flux.dead:
                flux.dead.add(broker.rank)
                storm.story.append(f"{flux.now():9.3f} rank {broker.rank} ends: {broker.session.failure}")
                if broker.rank not in storm.touched and not storm.touched & {0, *self._above(broker)}:
                    self.wrong.append(f"rank {broker.rank} has ended, and nobody near was touched")
                storm.touched.add(broker.rank)

        broker.broker.hearers.append(told)
        broker.life.watch(ended)

    def _above(self, broker: SimBroker) -> set[int]:
        return {claim.rank for claim in broker.session._uplink._line}

    def _cstate(self, msg: Message) -> None:
        if isinstance(msg, Event):
            body = msg.body()
            self.storm.story.append(f"{self.flux.now():9.3f} live: {body}")
            if body["nstate"] == FAILED and body["rank"] not in self.storm.touched:
                self.wrong.append(f"rank {body['rank']} was declared failed, and was never touched: {body}")

    async def _look(self) -> None:
        while not self._over:
            await asyncio.sleep(0.25)
            self._no_loop()

    def _no_loop(self) -> None:
        """Whoever is above whom, nobody is above itself."""
        links = {UPWARD + broker.uuid.encode(): broker for broker in self.flux.alive}
        good: set[int] = {0}
        for broker in self.flux.alive:
            way: list[int] = []
            above: SimBroker | None = broker
            while above is not None and above.rank not in good:
                if above.rank in way:
                    self.wrong.append(f"a loop: {way}")
                    break
                way.append(above.rank)
                above = links.get(above.node.parent or b"")
            good |= set(way)

    # -- at the end -------------------------------------------------------------------------------------------------

    async def check(self) -> None:
        """The tree is whole, everybody reaches everybody, everybody was answered and has heard everything."""
        flux = self.flux
        alive = {broker.rank for broker in flux.alive}
        for group, expected in (("broker.online", alive), ("broker.torpid", set[int]())):
            members = (await flux[0].rpc("groups.get", {"name": group}))["members"]
            assert set(IDset(members)) == expected, f"{group} is {members}, should be {IDset(expected)}"
        self._routes_agree()
        await self._nobody_is_thought_ill_of()
        await self._all_reach_all()
        self._everything_was_answered()
        await self._everything_is_there()
        newest = flux[0].node.events.last
        await flux.settle()
        deaf = [(ear.broker.rank, ear.last) for ear in self._ears if ear.broker in flux.alive and ear.last < newest]
        assert not deaf, f"the last event is {newest}; the last that ranks heard: {deaf}"
        self._nothing_is_left()

    def whole(self) -> str:
        """Why the tree is not whole, "" if it is."""
        links = {UPWARD + broker.uuid.encode(): broker for broker in self.flux.alive}
        for broker in self.flux.alive:
            if broker.life.state is not State.RUN:
                return f"rank {broker.rank} is in state {broker.life.state}"
            if broker.rank and (broker.node.parent is None or broker.node.parent not in links):
                return f"rank {broker.rank} has no parent that lives"
        return ""

    def _routes_agree(self) -> None:
        links = {UPWARD + broker.uuid.encode(): broker for broker in self.flux.alive}
        below: dict[int, set[int]] = {broker.rank: set() for broker in self.flux.alive}
        for broker in self.flux.alive:
            above, steps = broker, 0
            while above.rank:
                above, steps = links[above.node.parent or b""], steps + 1
                below[above.rank].add(broker.rank)
                assert steps <= self.flux.size, f"a loop above rank {broker.rank}"
        for broker in self.flux.alive:
            routes = broker.node.router.routes
            known = {rank for rank in range(self.flux.size) if routes.link(rank) is not None}
            assert known == below[broker.rank], f"rank {broker.rank} leads to {known}, not {below[broker.rank]}"

    async def _nobody_is_thought_ill_of(self) -> None:
        """Whoever was declared slow or failed, and is there, has been declared well again."""
        alive = {broker.rank for broker in self.flux.alive}
        status = await self.flux[0].rpc("live.status")
        ill = {health: some for health, ranks in status.items() if (some := alive.intersection(ranks))}
        assert not ill, f"these are well: {ill}"

    async def _all_reach_all(self) -> None:
        alive = self.flux.alive
        pairs = [(one, other) for one in alive for other in alive]
        if len(pairs) > MOST_PAIRS:
            star = [pair for other in alive for pair in ((alive[0], other), (other, alive[0]))]
            pairs = [*star, *self.random.sample(pairs, MOST_PAIRS)]
        asking = (one.rpc("broker.ping", {}, nodeid=other.rank) for one, other in pairs)
        assert [answer["rank"] for answer in await asyncio.gather(*asking)] == [other.rank for _, other in pairs]

    def _everything_was_answered(self) -> None:
        alive = self.flux.alive
        odd = [asked for asked in self._asked if asked.broker in alive and not asked.well]
        assert not odd, "\n".join(
            f"{asked.when:.3f}: rank {asked.broker.rank} asked {asked.topic} at {asked.nodeid:#x}: "
            f"{[answer.errnum for answer in asked.answers]}"
            for asked in odd
        )

    async def _everything_is_there(self) -> None:
        for key, value in self._committed.items():
            broker = self.random.choice(self.flux.alive)
            answer = await broker.rpc("kvs.lookup", {"key": key, "flags": 0, "namespace": "primary"})
            assert answer["val"]["data"] == value, f"{key} on rank {broker.rank}"

    def _nothing_is_left(self) -> None:
        """Of links that are gone nothing is kept."""
        for broker in self.flux.alive:
            node = broker.node
            signs = (UPWARD, RINGWARD, LEEWARD)
            links = {link for link in node.router.pending._hops if link[:1] in signs or len(link) == len(broker.uuid)}
            ring = (link for link in broker.links.wires if link[:1] in (RINGWARD, LEEWARD))
            known = {RINGWARD, *node.neighbours(), *ring}
            assert not node.above.former, f"rank {broker.rank} still has former parents"
            assert not node.children.former, f"rank {broker.rank} still has former children"
            assert links <= known, f"rank {broker.rank} still waits for {links - known}"
            heard = set(broker.broker.heard) - set(broker.links.wires)
            assert not heard, f"rank {broker.rank} still knows when it last heard {heard}"


class Answer:
    """What is answered to one request."""

    def __init__(self, witness: Witness, broker: SimBroker, ear: Ear | None) -> None:
        self._witness, self._broker, self._ear = witness, broker, ear
        self.came: list[Response] = []
        self.key: tuple[str, str] | None = None

    def take(self, response: Response) -> None:
        """Takes an answer. What rank 0 says comes after the events that it had seen."""
        self.came.append(response)
        if response.errnum:
            return
        if response.topic == "overlay.stats-get":
            there, here = response.body()["event-sequence"], self._broker.node.events.last
            if here < there or (self._ear is not None and self._ear.misses(there)):
                self._witness.wrong.append(f"rank {self._broker.rank}: an answer came before event {there}")
        if self.key is not None:
            self._witness.committed(*self.key)
