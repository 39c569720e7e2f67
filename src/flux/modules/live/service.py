"""`live`: heartbeats between neighbours on the tree; who is silent is slow, then failed, and the tree goes round it."""

import asyncio
from collections import deque
from errno import EHOSTUNREACH, EINVAL, ENOSYS, ESRCH, ESTALE
from typing import Any, ClassVar

from flux.base.config import Config
from flux.base.config.settings import Live as Settings
from flux.base.config.settings import Tbon
from flux.base.duration import parse_fsd
from flux.modules.live.reputation import Reputations
from flux.modules.live.watch import Health, Limits, Watch
from flux.overlay.lifecycle import State
from flux.overlay.node import AGAIN, IN_ORDER
from flux.overlay.notices import Gone, Moved, Notice
from flux.overlay.router import UPWARD
from flux.overlay.routes import Claim
from flux.service import ALL, Call, Service, event, request
from flux.service.kit import LOG_CRIT, LOG_INFO, LOG_WARNING
from flux.wire.message import RING, Control, Event, Response

PERIOD, SLOW, FAIL = "heartbeat.period", "live.slow-idle", "live.max-idle"
DEEPER = 0.02
"""More patience with who cannot be reached, for each level of the tree: a deep one takes longer to heal."""
RECENT = 3
"""Beats of rank 0 within which somebody has heard of it who is not cut off."""
LATE = 1.5
"""A beat that comes so many periods after the last one: it was we who were not there, and nobody else is blamed."""


class Live(Service):
    """Each broker watches its children and its parent. A child that failed is sent away; a parent that failed is left.

    The ring is asked for a second opinion first: who answers there is only slow.
    """

    name: ClassVar[str] = "live"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._settings, self._tree = Settings(), Tbon()
        self._period = 0.0
        """Seconds; 0 before the start."""

    def configured(self, config: Config) -> None:
        """Takes the table `live`, and from `tbon` how often somebody is heard and after which silence it is torpid."""
        before, self._settings, self._tree = self._settings, config.live, config.tbon
        if self._period:
            self._take_period(self.host.attributes.get(PERIOD))
        if self._period and before != config.live:
            self.host.attributes.set(SLOW, str(config.live.slow_idle))
            self.host.attributes.set(FAIL, str(config.live.max_idle))

    async def start(self) -> None:
        """Begins to watch."""
        self._node = self.host.port("node")
        self._broker = self.host.port("neighbours")
        self._children: dict[bytes, Watch] = {}
        self._parent: Watch | None = None
        self._reputations = Reputations()
        self._slow: list[int] = []
        """The children that we have told are slow."""
        self._limits = Limits()
        self._last = self.host.now()
        self._seen = deque([self.host.last_event()], maxlen=RECENT)
        """The last event there was at each of our last beats."""
        self.follow(SLOW, lambda text: self._limit(slow=_heartbeats(SLOW, text)), str(self._settings.slow_idle))
        self.follow(FAIL, lambda text: self._limit(fail=_heartbeats(FAIL, text)), str(self._settings.max_idle))
        self.follow(PERIOD, self._take_period, "2s")
        self._broker.hearers.append(self._notice)

    async def stop(self) -> None:
        """Watches no more."""
        self._broker.hearers.remove(self._notice)

    # -- topics -----------------------------------------------------------------------------------------------------

    @request(allow=ALL)
    def status(self, call: Call) -> dict[str, Any]:
        """The ranks that are not well, by what is thought of them."""
        return self._reputations.status()

    @request(allow=ALL)
    def peers(self, call: Call) -> dict[str, Any]:
        """The neighbours on the tree by rank: seconds since each was heard, and what is thought of it."""
        self._meet(self.host.now())
        watched = [*self._children.items(), *([(self.host.parent(), self._parent)] if self._parent else [])]
        return {str(watch.rank): {"idle": self._silence(link), "state": str(watch.health)} for link, watch in watched}

    @request()
    def vouch(self, call: Call, *, uuid: str) -> dict[str, Any]:
        """Says that this broker lives, if it is the one that is meant, and names its children (`children`, ranks).

        ESTALE if it has come in that one's place.
        """
        if uuid != self.host.uuid:
            raise OSError(ESTALE, f"rank {self.host.rank} is another broker now")
        return {"children": self._node.children.ranks}

    @request()
    def accuse(self, call: Call, *, rank: int, before: int, accuser: int, seen: int) -> None:
        """On rank 0: a parent that has seen the events up to `seen` has given up a child.

        Who is cut off thinks that everybody has failed, and may say so when that is long over. So nobody is believed
        who has not seen the latest events, or whose child is somebody else's by now: then it is enough to wait.
        """
        if self._reached(rank) or seen < self._seen[0]:
            self._reputations.miss([rank], self.host.now())
        else:
            self._publish(rank, Health(before), Health.FAIL, accuser)

    @request()
    async def failover(self, call: Call) -> None:
        """Moves this broker below the one above its parent. ESRCH if there is none."""
        line = self._node.above.line
        if len(line) < 2:
            raise OSError(ESRCH, f"rank {self.host.rank} has nobody to fail over to")
        await self.host.port("uplink").move(line[1])

    @request()
    async def recover(self, call: Call) -> None:
        """Moves this broker back below the parent that it had at first. EINVAL if that one is not well."""
        await self._recover()

    @event("live.recover-all")
    def recover_all(self, event: Event) -> None:
        """All go back to their first parents, those that can."""
        if self.host.rank:
            self.run(self._recover())

    @event("live.cstate")
    def heard(self, event: Event) -> None:
        """Somebody thinks otherwise of a rank than before."""
        body = event.body()
        rank, health = int(body["rank"]), Health(int(body["nstate"]))
        self._reputations.say(rank, health, int(body["parent"]))
        circle = self.host.port("circle")
        if health is not Health.SLOW and circle.affected(rank, alive=health is Health.OK):
            circle.open()
            circle.close()

    def events_lost(self) -> None:
        """What was said meanwhile, rank 0 knows."""

        def told(response: Response) -> None:
            if not response.errnum:
                self._reputations.learn(response.body())

        if self.host.rank:
            self.send_request("live.status", None, told, nodeid=0)

    # -- beats ------------------------------------------------------------------------------------------------------

    def _take_period(self, text: str) -> None:
        try:
            self._period = parse_fsd(text)
        except ValueError:
            raise OSError(EINVAL, f"{PERIOD}: '{text}' is not a duration") from None
        self._beats = min(self._period, self._tree.torpid_min)
        self.every(self._beats, self._beat, name="beat")

    def _limit(self, **changed: float) -> None:
        limits = self._limits._replace(**changed)
        self._limits = limits

    def _beat(self) -> None:
        """Lets the neighbours hear us, and thinks of each what its silence says."""
        now, late = self.host.now(), self.host.now() - self._last > LATE * self._beats
        self._last = now
        self._meet(now)
        if self.host.rank == 0:
            self._judge(now)
            self._seen.append(self.host.last_event())
        if late:
            for link in self._broker.heard:
                self._broker.heard[link] = now
        self.host.port("circle").beat(self._limits.fail * self._period)
        self._broker.act([(link, Control()) for link in self._node.neighbours()])
        for link, watch in list(self._children.items()):
            self._consider(link, watch)
            self._clear(watch, now)
        if self._parent is not None:
            self._consider(self.host.parent(), self._parent)

    def _meet(self, now: float) -> None:
        """Begins to watch who is new."""
        for link in self._node.children:
            if link not in self._children:
                self._children[link] = Watch(self._node.children.rank(link), now)
        line = self._node.above.line
        if not line:
            self._parent = None
        elif self._parent is None or self._parent.rank != line[0].rank:
            self._parent = Watch(line[0].rank, now)

    def _silence(self, link: bytes) -> float:
        watch = self._children.get(link, self._parent)
        began = watch.heard if watch is not None else 0.0
        heard: float = self._broker.heard.get(link, began)
        return self.host.now() - max(began, heard)

    def _consider(self, link: bytes, watch: Watch) -> None:
        idle = self._silence(link) / self._period
        health = watch.look(idle, self._limits)
        if health is Health.OK and self._silence(link) > self._tree.torpid_max:
            health = Health.SLOW
        if health is Health.FAIL:
            if watch.rank == 0 and not watch.hopeless(idle, self._limits):
                self._change(watch, Health.SLOW)  # without it there is no session: it is waited for
                if watch.certain(idle, self._limits) and not watch.asked:
                    self.run(self._go_round(link, watch))
            elif watch.certain(idle, self._limits):
                self._failed(link, watch)
            elif not watch.asked:
                self._ask(link, watch)
        elif health is not watch.health:
            self._change(watch, health)

    def _clear(self, watch: Watch, now: float) -> None:
        """A child is well that others think is slow: they are told, again until it is heard that they were."""
        patient = now - watch.told < self._limits.slow * self._period
        if watch.health is Health.OK and self._reputations.of(watch.rank) is Health.SLOW and not patient:
            watch.told = now
            self._publish(watch.rank, Health.SLOW, Health.OK)

    def _ask(self, link: bytes, watch: Watch) -> None:
        """Asks the ring whether the neighbour lives: no answer within a beat says no."""
        watch.asked = True

        def told(response: Response) -> None:
            timer.cancel()
            if response.errnum:
                self._settle(link, watch, alive=False)
            else:
                self._settle(link, watch, alive=True)

        timer = self.host.after(self._period, lambda: self._settle(link, watch, alive=False))
        uuid = link.removeprefix(UPWARD).decode()
        self.send_request("live.vouch", {"uuid": uuid}, told, nodeid=RING | watch.rank)

    async def _go_round(self, link: bytes, watch: Watch) -> None:
        """Goes below another child of a silent rank 0, if the ring says that it lives: only our way to it is broken.

        All of it goes round the ring. Whatever fails is tried again at the next beat.
        """
        watch.asked = True
        try:
            vouched = await self._around("live.vouch", 0, {"uuid": link.removeprefix(UPWARD).decode()})
            others = [rank for rank in vouched["children"] if rank != self.host.rank and not self._reached(rank)]
            if not others:
                return
            rank = others[int(self.host.now() / self._period) % len(others)]
            found = await self._around("overlay.open", rank, {})
            await self.host.port("uplink").move(Claim(rank, found["uuid"], 0, found["card"]))
        except (OSError, TimeoutError) as error:
            self.log(LOG_INFO, f"no way round to rank {watch.rank}: {error}")
        else:
            self._broker.give_up(link, "silent")  # what is still open there is answered by nobody
        finally:
            watch.asked = False

    async def _around(self, topic: str, rank: int, payload: dict[str, Any]) -> dict[str, Any]:
        async with asyncio.timeout(self._period):
            return await self.rpc(topic, payload, nodeid=RING | rank)

    def _settle(self, link: bytes, watch: Watch, *, alive: bool) -> None:
        if not watch.asked:
            return
        watch.asked = False
        if alive:
            self._change(watch, Health.SLOW)
        elif self._silence(link) > self._limits.fail * self._period:
            self._failed(link, watch)

    def _failed(self, link: bytes, watch: Watch) -> None:
        """The neighbour is given up, whichever way it lies."""
        reason = f"silent for {self._silence(link):.1f} s"
        if link in self._children:
            del self._children[link]
            self._broker.act(self._node.dismiss(link, reason))  # first: who hears that it failed finds it gone
            self._change(watch, Health.FAIL)
            self._tell_slow()
        elif link == self.host.parent():
            self._change(watch, Health.FAIL)
            self._parent = None
            self._broker.give_up(link, reason)

    def _change(self, watch: Watch, health: Health) -> None:
        if health is watch.health:
            return
        level = LOG_CRIT if health is Health.FAIL else LOG_WARNING
        self.log(level, f"transitioning {watch.rank} from {watch.health} to {health}")
        before, watch.health = watch.health, health
        if watch is not self._parent:
            watch.told = self.host.now()
            self._say(watch.rank, before, health)
            self._tell_slow()

    def _tell_slow(self) -> None:
        """Says which children are slow, if that is not what was said last."""
        slow = [watch.rank for watch in self._children.values() if watch.health is Health.SLOW]
        if slow != self._slow:
            self._slow = slow
            self.notify("groups.tell", {"name": "broker.torpid", "ranks": slow}, nodeid=self.host.rank)

    def _say(self, rank: int, before: Health, now: Health) -> None:
        """Says what we think of a child; whether it has failed is for rank 0 to say."""
        if now is Health.FAIL:
            told = {"rank": rank, "before": int(before), "accuser": self.host.rank, "seen": self.host.last_event()}
            self.notify("live.accuse", told, nodeid=0)
        else:
            self._publish(rank, before, now)

    def _publish(self, rank: int, before: Health, now: Health, accuser: int | None = None) -> None:
        accuser = self.host.rank if accuser is None else accuser
        told = {"rank": rank, "ostate": int(before), "nstate": int(now), "parent": accuser}
        self.publish("live.cstate", told | {"epoch": int(self.host.now() / self._period)})

    # -- neighbours that come and go --------------------------------------------------------------------------------

    def _notice(self, notice: Notice) -> None:
        match notice:
            case Gone(ranks, links, reason):
                for link in links:
                    watch = self._children.pop(link, None)
                    if watch is None or watch.health is Health.FAIL or reason == AGAIN or not self._running:
                        continue
                    if reason == IN_ORDER:
                        self._publish(watch.rank, watch.health, Health.UNKNOWN)
                    else:
                        self.run(self._look_for(link.decode(), watch))
                if self.host.rank == 0 and reason != IN_ORDER and self._running:
                    self._reputations.miss(ranks, self.host.now())
                self._tell_slow()
            case Moved(link):
                self._acquit(self._children.pop(link, None))
                self._tell_slow()

    async def _look_for(self, uuid: str, watch: Watch) -> None:
        """A child's connection is gone. It may have left us for another parent, because it was we who were silent, or
        be looking for one: it has failed if it is not there when it would count as slow.
        """
        errnum = await self._vouched(uuid, watch.rank)
        if errnum in (EHOSTUNREACH, ENOSYS):
            await asyncio.sleep(self._limits.slow * self._period)
            errnum = await self._vouched(uuid, watch.rank)
        if errnum not in (EHOSTUNREACH, ESTALE):
            self._acquit(watch)
        elif errnum == ESTALE and self._running:
            self._publish(watch.rank, watch.health, Health.FAIL)  # whoever is there now has come in its place
        elif self._running:
            self._say(watch.rank, watch.health, Health.FAIL)

    async def _vouched(self, uuid: str, rank: int) -> int:
        """Asks a broker whether it is there; returns 0 or why not.

        The question goes up behind the news that we lead there no more. Where that way breaks, too, it is asked again.
        """
        errnum, asked = 0, None
        while asked != self.host.parent():
            asked = self.host.parent()
            try:
                await self.rpc("live.vouch", {"uuid": uuid}, nodeid=rank)
                return 0
            except OSError as error:
                errnum = error.errno or 0
        return errnum

    def _acquit(self, watch: Watch | None) -> None:
        """Whoever was slow as our child is another one's now, who thinks for itself."""
        if watch is not None and watch.health is Health.SLOW:
            self._publish(watch.rank, watch.health, Health.OK)

    def _judge(self, now: float) -> None:
        """On rank 0, which knows who can be reached: what nobody else can say of ranks."""
        for rank, before in self._reputations.absolved(self._reached):
            self._publish(rank, before, Health.OK)
        patience = 2 * self._limits.fail * self._period * (1 + DEEPER * self.host.port("topology").maxlevel())
        for rank, before in self._reputations.failed(now, patience, self._reached):
            self._publish(rank, before, Health.FAIL)

    def _reached(self, rank: int) -> bool:
        return rank == self.host.rank or self._node.router.routes.link(rank) is not None

    @property
    def _running(self) -> bool:
        """Whether it matters who leaves: when the session ends, all do."""
        return bool(self.host.port("life").state <= State.RUN)

    async def _recover(self) -> None:
        first = self.host.port("topology").parent(self.host.rank)
        if first is None:
            raise OSError(ESRCH, "rank 0 has no parent")
        if self._reputations.of(first) is Health.FAIL:
            raise OSError(EINVAL, f"rank {first} has failed")
        await self.rpc("overlay.reparent", {"rank": first}, nodeid=self.host.rank)


def _heartbeats(name: str, text: str) -> float:
    try:
        count = float(text)
    except ValueError:
        count = 0.0
    if not 1 <= count <= 1_000_000:
        raise OSError(EINVAL, f"{name}: '{text}' is not a number of heartbeats, at least 1")
    return count
