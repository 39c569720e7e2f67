"""The broker: one mailbox, one node that decides, and the neighbours that get what it decided."""

import asyncio
import traceback
from collections import deque
from collections.abc import Callable, Collection
from errno import EEXIST, EIO
from typing import Any

from flux.base.idset import IDset
from flux.broker.hops import Deliver, Links, Subscriptions
from flux.broker.logger import Logger
from flux.broker.tap import Tap
from flux.broker.traffic import Traffic
from flux.overlay.node import BELOW, BROKER, SUBSCRIBERS, Node, Step
from flux.overlay.notices import Broken, Drop, EventsLost, Gone, Joined, Moved, Noise, Notice, ParentLost
from flux.runtime.system import to_stderr
from flux.service.kit import LOG_DEBUG, LOG_ERR, LOG_INFO, LOG_WARNING, Service
from flux.wire.message import LOCAL, UNKNOWN, BadMessage, Event, Message, Request, Response, refuse

SLICE = 2000
"""Messages that are routed before the loop gets its turn."""
PATIENCE = 0.02
"""Seconds that a message waits for an event before the parent is asked for it."""


class Broker:
    """One broker: moves messages between its services, its clients and its neighbours on the tree."""

    def __init__(self, node: Node, loop: asyncio.AbstractEventLoop, wall: Callable[[], float]) -> None:
        self.node = node
        self.loop = loop
        self.links: Links | None = None
        self.log = Logger(node.rank, wall, self.send)
        self.hearers: list[Callable[[Notice], None]] = []
        """Who hears every notice, after the services did."""
        self.taps: list[Callable[[str, bytes, Message], None]] = []
        """Who looks on at all messages: "rx" or "tx", the neighbour on the tree or b"" for this broker, the message."""
        self.heard: dict[bytes, float] = {}
        """When something last came over each link."""
        self.subscriptions = Subscriptions()
        self.services: dict[bytes, Service] = {}
        self._hops: dict[bytes | str, Deliver] = {
            SUBSCRIBERS: self._fan_out,  # type: ignore[dict-item]
            BELOW: self._publish,
            BROKER: self._notice,  # type: ignore[dict-item]
        }
        self.module_tap = Tap(self.services, self._hops)
        self.traffic = Traffic()
        self._missed: set[int] = set()
        """The ranks of which the log says that they are lost."""
        self._box: deque[tuple[Message, bytes, int]] = deque()
        self._draining = False
        self._asking: asyncio.TimerHandle | None = None

    # -- messages ---------------------------------------------------------------------------------------------------

    def send(self, msg: Message, sender: bytes) -> None:
        """Takes a message from a service or a client of this broker. Who asks for another has that one's roles."""
        if isinstance(msg, Request) and msg.userid == UNKNOWN:
            msg.rolemask |= LOCAL
        if self.taps:
            self._tap("rx", b"", msg)
        if self.module_tap.on:
            self.module_tap.sent(sender, msg)
        self._box.append((msg, sender, -1))
        if not self._draining:
            self._drain()

    def receive(self, msg: Message, link: bytes, mark: int) -> None:
        """Takes a message from a neighbour on the tree, who had seen event `mark`."""
        msg.rolemask &= ~LOCAL
        self.heard[link] = self.loop.time()
        if self.taps:
            self._tap("rx", link, msg)
        self.traffic.received(link, msg)
        self._box.append((msg, link, mark))
        if not self._draining:
            self._drain()

    def lost(self, link: bytes, reason: str) -> None:
        """The connection to a neighbour on the tree is gone."""
        self.heard.pop(link, None)
        self.traffic.forget(link)
        self.act(self.node.lost(link, reason))

    def give_up(self, link: bytes, reason: str) -> None:
        """A neighbour whose connection still stands is of no use any more."""
        self.drop(link)
        self.lost(link, reason)

    def drop(self, link: bytes) -> None:
        """Closes a connection that the node needs no more."""
        self.heard.pop(link, None)
        if self.links is not None:
            self.links.disconnect(link)

    def act(self, steps: list[Step]) -> None:
        """Does what the node wants done, then what follows from it."""
        if self._draining:
            self._do(steps)
            return
        self._draining = True
        try:
            self._do(steps)
        finally:
            self._draining = False
        self._drain()

    def _do(self, steps: list[Step]) -> None:
        for hop, out in steps:
            deliver = self._hops.get(hop)
            try:
                if deliver is not None:
                    deliver(out)  # type: ignore[arg-type]
                elif self.links is not None:
                    if self.taps:
                        self._tap("tx", hop, out)
                    self.traffic.sent(hop, out)  # type: ignore[arg-type]
                    self.links.send(hop, out, self.node.events.last)  # type: ignore[arg-type]
            except Exception:
                self._bug(out)
                self._undelivered(hop, out)

    def _undelivered(self, hop: Any, out: object) -> None:
        """What a mistake of ours kept from being sent, a payload that is no JSON, say: nobody waits for it in vain."""
        text = f"{getattr(out, 'topic', '')} failed (see flux dmesg)"
        if isinstance(out, Request) and out.wants_answer and hop not in self.services:
            self._box.append((refuse(out, EIO, text), hop, -1))
        elif isinstance(out, Response) and out.errnum == 0 and out.final:
            out.errnum, out.data = EIO, text.encode() + b"\0"
            self._do([(hop, out)])
        elif isinstance(out, Event) and hop == BELOW and out.data is not None:
            out.data = None  # everybody below waits for the event of this number
            self._do([(hop, out)])

    def _tap(self, way: str, hop: Any, msg: Any) -> None:
        for look in list(self.taps):
            self._guarded(look, way, hop, msg)

    def _guarded(self, tell: Callable[..., None], *what: Any) -> None:
        """Tells one of several: its mistake does not keep it from the others."""
        try:
            tell(*what)
        except Exception:
            self._bug(*what[:1])

    def _bug(self, out: object = None) -> None:
        """A mistake of ours: traceback to the log, unless it is the log that fails."""
        text = traceback.format_exc().rstrip()
        if getattr(out, "topic", "") == "log.append":
            to_stderr(text)
        else:
            self.log(LOG_ERR, "broker", text)

    def _drain(self) -> None:
        self._draining = True
        box, node = self._box, self.node
        try:
            for _ in range(SLICE):
                if not box:
                    break
                msg, via, mark = box.popleft()
                try:
                    self._do(node.send(msg, via) if mark < 0 else node.receive(msg, via, mark))
                except BadMessage as error:
                    self.log(LOG_WARNING, "broker", f"ignored a message: {error}")
                except Exception:
                    self._bug(msg)
        finally:
            self._draining = False
        if box:
            self.loop.call_soon(self._drain)
        if self._asking is None and node.waiting:
            self._asking = self.loop.call_later(PATIENCE, self._ask)

    def _ask(self) -> None:
        """Something still waits for an event: asks for it, and looks again."""
        self._asking = None
        self.act(self.node.overdue())
        if self._asking is None and self.node.waiting and self.node.joined:
            self._asking = self.loop.call_later(PATIENCE, self._ask)

    # -- neighbours on this broker ----------------------------------------------------------------------------------

    def attach(self, hop: bytes, deliver: Deliver, *, answers: bool = True) -> None:
        """Makes a client known. One outside this process may leave requests unanswered: those are watched."""
        self._hops[hop] = deliver
        if answers:
            self.node.router.pending.watch(hop)

    def detach(self, hop: bytes) -> None:
        """A client is gone: its services, subscriptions and requests with it."""
        if self._hops.pop(hop, None) is not None:
            self.subscriptions.drop(hop)
            self.act(list(self.node.router.lost(hop)))

    def register(self, name: str, hop: bytes) -> None:
        """Makes a neighbour the owner of a service name. OSError(EEXIST) if there is one."""
        if not self.node.router.register(name, hop):
            raise OSError(EEXIST, f"service {name} is already registered")

    def unregister(self, name: str, hop: bytes) -> bool:
        """Takes the name away; False if that neighbour did not own it."""
        return self.node.router.unregister(name, hop)

    def host_service(self, service: Service) -> None:
        """Lets a service hear what it subscribed to and the answers to what it asks, before it owns a name."""
        self.services[service.id] = service
        self.module_tap.place(service)

    def drop_service(self, service: Service) -> None:
        """Forgets a service."""
        self.services.pop(service.id, None)
        self.detach(service.id)

    # -- what the node says -----------------------------------------------------------------------------------------

    def _fan_out(self, event: Event) -> None:
        for hop in self.subscriptions.hearers(event):
            deliver = self._hops.get(hop)
            if deliver is not None:
                self._guarded(deliver, event)

    def _publish(self, event: Message) -> None:
        if self.taps:
            self._tap("tx", b"", event)
        if self.links is not None:
            self.traffic.published += 1
            self.links.publish(event)

    def _notice(self, notice: Notice) -> None:
        services = list(self.services.values())
        match notice:
            case Gone(ranks, links, reason):
                level = LOG_DEBUG if reason == "administrative shutdown" else LOG_ERR
                if ranks:
                    self.log(level, "broker", f"lost {_named(ranks)}: {reason}")
                    self._missed.update(ranks)
                for link in links:
                    for service in services:
                        self._guarded(service.link_lost, link)
            case Joined(_, ranks) if back := self._missed.intersection(ranks):
                self.log(LOG_INFO, "broker", f"found {_named(back)} again")
                self._missed -= back
            case Broken(near, far):
                for service in services:
                    self._guarded(service.way_lost, near, far)
            case ParentLost(_, parent):
                for service in services:
                    self._guarded(service.link_lost, parent)
            case Moved(link):
                for service in services:
                    self._guarded(service.link_moved, link)
            case Drop(link):
                self.drop(link)
            case EventsLost(last):
                self.log(LOG_WARNING, "broker", f"events up to {last} were lost")
                for service in services:
                    self._guarded(service.events_lost)
            case Noise(text):
                self.log(LOG_WARNING, "broker", text)
        for told in list(self.hearers):
            self._guarded(told, notice)


def _named(ranks: Collection[int]) -> str:
    return f"rank{'s' * (len(ranks) > 1)} {IDset(set(ranks))}"
