"""`overlay`: what a broker knows of the tree and lets be done with it. What brokers say to each other is elsewhere."""

from errno import EINVAL, ENOENT
from typing import Any, ClassVar

from flux.base.config import Config
from flux.broker import tuning
from flux.broker.services.view import View
from flux.overlay.health import Absent, Census, felt_by, status
from flux.overlay.lifecycle import State
from flux.overlay.node import Node
from flux.overlay.notices import Gone, Joined, Moved, Notice
from flux.overlay.routes import Claim
from flux.overlay.wired import wired
from flux.service import LATER, Call, Later, Service, event, request
from flux.wire.message import USER, Event, Message

IN_ORDER = "administrative shutdown"
PATIENCE = 1.0
"""Seconds that brokers have to say who their children are."""


class OverlayService(Service):
    """Shows the tree, and rewires it."""

    name: ClassVar[str] = "overlay"

    async def start(self) -> None:
        """Begins to count who is there."""
        now = self.host.now()
        self._node: Node = self.host.port("node")
        self._census = Census(range(1, self.host.size) if self.host.rank == 0 else (), now)
        self._changed = now
        """When somebody below came or went."""
        self._watching: list[Call] = []
        self._patients: dict[Call, str] = {}
        """Who follows this broker's health, and the status that was said last."""
        self.host.port("neighbours").hearers.append(self._notice)

    async def stop(self) -> None:
        """Counts no more."""
        self.host.port("neighbours").hearers.remove(self._notice)

    def configured(self, config: Config) -> None:
        """What can change while the broker runs, does: after which silence a child is torpid. -S is for the start."""
        start = self.host.port("life").state <= State.CONFIG_SYNC
        tree = tuning.settled(config, self.host.port("given") if start else {})
        tuning.describe_torpid(tree, self.host.attributes)

    # -- the tree ---------------------------------------------------------------------------------------------------

    @request(allow=USER)
    async def topology(self, call: Call, *, rank: int) -> dict[str, Any]:
        """The tree below `rank`, this broker or a child of it, as it is wired now. Who is missing is a leaf."""
        if rank == self.host.rank:
            return await self._wired()
        if rank not in self._node.children.ranks:
            raise OSError(ENOENT, f"rank {rank} is neither this broker nor its direct child")
        return await self.rpc("overlay.topology", {"rank": rank}, nodeid=rank)

    @request(allow=USER)
    def children(self, call: Call) -> dict[str, Any]:
        """The ranks directly below this broker (ours)."""
        return {"ranks": self._node.children.ranks}

    @request(allow=USER)
    async def health(self, call: Call) -> dict[str, Any] | Later:
        """The status of this broker's subtree and of each child's: full, partial, degraded; offline or lost.

        Who takes a stream is told again whenever that of the whole has changed.
        """
        if not call.request.streaming:
            return await self._health()
        self._patients[call] = ""
        call.on_close = lambda: self._patients.pop(call)
        await self._tell_patients()
        return LATER

    async def _health(self) -> dict[str, Any]:
        absent = await self._absent()
        tree, routes = self.host.port("topology"), self._node.router.routes
        gone = {one.rank for one in absent}
        felt = {one: felt_by(one.rank, gone, tree.parent) for one in absent}
        children = []
        for link in self._node.children:
            below = set(routes.below(link))
            missing = [one for one, where in felt.items() if where in below]
            rank = self._node.children.rank(link)
            children.append({"rank": rank, "status": status(missing), "duration": self._duration(missing)})
        own = [one for one, where in felt.items() if where == self.host.rank]
        children += [_ghost(one, self.host.now()) for one in own]
        everybody = [one for one, where in felt.items() if where == self.host.rank or routes.link(where) is not None]
        return {
            "rank": self.host.rank,
            "status": status(everybody),
            "duration": self._duration(everybody),
            "children": sorted(children, key=lambda child: child["rank"]),
        }

    @request(allow=USER)
    def absent(self, call: Call) -> dict[str, Any]:
        """Who is missing in the session, by rank 0's word (ours)."""
        return {"absent": [[*one[:2], self.host.now() - one.since, one.error] for one in self._census.absent]}

    @request(stream=True)
    def monitor(self, call: Call) -> Later:
        """The children, now and whenever one comes or goes: rank, status, torpid."""
        for rank in self._node.children.ranks:
            call.respond({"rank": rank, "status": "full", "torpid": False})
        self._watching.append(call)
        call.on_close = lambda: self._watching.remove(call)
        return LATER

    @request(stream=True)
    def trace(
        self, call: Call, *, typemask: int, topic_glob: str, nodeid: int, full: bool = False, local: bool = False
    ) -> Later:
        """The messages that go to and come from other brokers; `local` (ours): also what comes from this one's own."""
        view = View(self._node, typemask, topic_glob, nodeid, full, local)

        def look(way: str, hop: bytes, msg: Message) -> None:
            seen = view.of(way, hop, msg, self.host.wall())
            if seen is not None and not view.looking:
                view.looking = True  # what we say of it is a message as well
                call.respond(seen)
                view.looking = False

        taps = self.host.port("neighbours").taps
        taps.append(look)
        call.on_close = lambda: taps.remove(look)
        self.keep(call)
        return LATER

    @request(allow=USER)
    def line(self, call: Call) -> dict[str, Any]:
        """The ranks above this broker: its parent first (ours)."""
        return {"ranks": [claim.rank for claim in self._node.above.line]}

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Children, and the requests that wait for an answer from above or below."""
        node = self._node
        pending, parent = node.router.pending, node.parent
        return {
            "child-count": len(self.host.port("topology").children(self.host.rank)),
            "child-connected": len(node.children),
            "parent-count": 1 if node.joined else 0,
            "parent-rpc": pending.count(parent) if parent else 0,
            "child-rpc": sum(pending.count(child) for child in node.children),
            "event-sequence": node.events.last,
        }

    # -- rewiring ---------------------------------------------------------------------------------------------------

    @request()
    def open(self, call: Call) -> dict[str, Any]:
        """Listens, where this broker has not had to yet, and says where (ours, for other brokers)."""
        return {"rank": self.host.rank, "uuid": self.host.uuid, "card": self.host.port("open")()}

    @request()
    async def reparent(self, call: Call, *, rank: int) -> None:
        """Moves this broker below another rank; what is open over the old link is still answered (ours)."""
        self._check(rank)
        uplink = self.host.port("uplink")
        uplink.check(rank)
        found = await self.rpc("overlay.open", {}, nodeid=rank)
        await uplink.move(Claim(rank, found["uuid"], 0, found["card"]))

    @request("disconnect-subtree")
    def disconnect_subtree(self, call: Call, *, rank: int) -> None:
        """Sends a child away for good: it leaves the session. ENOENT if that rank is no child of this broker."""
        link = self._node.children.link(rank)
        if link is None:
            raise OSError(ENOENT, f"rank {rank} is not a child of rank {self.host.rank}")
        broker = self.host.port("neighbours")
        broker.act(self._node.dismiss(link, "administrative disconnect", for_good=True))

    @request("disconnect-parent")
    def disconnect_parent(self, call: Call, *, reason: str) -> None:
        """Gives up the parent as if it were lost: another one is looked for."""
        if self._node.parent is not None:
            self.host.port("neighbours").give_up(self._node.parent, reason)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _check(self, rank: int) -> None:
        if not 0 <= rank < self.host.size:
            raise OSError(EINVAL, f"no rank {rank} in this instance")

    async def _wired(self) -> dict[str, Any]:
        """Asks all brokers below who their children are. Those that do not say are shown below the child they go by."""
        tree, routes, children = self.host.port("topology"), self._node.router.routes, self._node.children
        via = {rank: children.rank(link) for link in children for rank in routes.below(link)}
        found = {self.host.rank: children.ranks}
        if len(via) > len(children):
            asked = await self.multicast("overlay.children", {}, sorted(via), within=PATIENCE)
            found |= {rank: said["ranks"] for rank, said in asked.by_rank().items()}
        absent = {one.rank for one in await self._absent()}
        felt = {rank: felt_by(rank, absent, tree.parent) for rank in sorted(absent)}
        mine = {rank: where for rank, where in felt.items() if where == self.host.rank or where in via}
        return wired(self.host.rank, found, via | mine)

    async def _tell_patients(self) -> None:
        """Says how we are to those who follow it and know otherwise."""
        if not self._patients:
            return
        health = await self._health()
        for call, known in list(self._patients.items()):
            if known != health["status"] and not call.closed:
                self._patients[call] = health["status"]
                call.respond(health)

    @event("live.cstate")
    def changed(self, event: Event) -> None:
        """Somebody in the session has come or gone."""
        self.run(self._tell_patients())

    async def _absent(self) -> list[Absent]:
        if self.host.rank == 0:
            return self._census.absent
        now, answer = self.host.now(), await self.rpc("overlay.absent", {}, nodeid=0)
        return [Absent(rank, word, now - seconds, error) for rank, word, seconds, error in answer["absent"]]

    def _duration(self, missing: list[Absent]) -> float:
        return self.host.now() - max((self._changed, *(one.since for one in missing)))

    def _notice(self, notice: Notice) -> None:
        now = self.host.now()
        match notice:
            case Joined(_, ranks):
                self._changed = now
                self._census.joined(ranks)
                self._tell(ranks, "full")
            case Gone(ranks, _, reason) if ranks:
                self._changed = now
                if self.host.rank == 0:
                    self._census.gone(ranks, reason, now, in_order=reason == IN_ORDER)
                self._tell(ranks, "offline" if reason == IN_ORDER else "lost")
            case Moved():
                self._changed = now
        if self._patients:
            self.run(self._tell_patients())

    def _tell(self, ranks: tuple[int, ...], word: str) -> None:
        children = set(self._node.children.ranks) if word == "full" else set(ranks)
        for call in list(self._watching):
            for rank in sorted(children.intersection(ranks)):
                call.respond({"rank": rank, "status": word, "torpid": False})


def _ghost(one: Absent, now: float) -> dict[str, Any]:
    error = {"error": one.error} if one.error else {}
    return {"rank": one.rank, "status": one.status, "duration": now - one.since} | error
