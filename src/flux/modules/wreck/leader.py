"""One job seen by the broker that was asked for it: folds what its nodes say into what the client is told. Pure.

Clients are told what RFC 32 has (`start`, `exception`, `finish`); `accept`, `output`, `add-credit`, `exited` besides:
`{id type data}` each, `finish` last.

A node that cannot be reached is tried again for a while. One that is lost for good is named, its tasks count as
killed, and the others run on; unless they are parts of one program, which PMI tells, or have not all begun."""

from collections.abc import Callable
from errno import EAGAIN, EHOSTUNREACH, ENOENT
from os import strerror
from typing import Any

from flux.modules.wreck.actions import Action, Again, Answer, Ask, Over, Release, Start
from flux.modules.wreck.contact import Contact
from flux.shell.exits import Exits
from flux.shell.input import WINDOW, Credits
from flux.shell.plan import Plan

SIGKILL = 9
FATAL, NOTED = 0, 2
"""Severities (RFC 21): 0 ends a job."""
PATIENCE = 30.0
"""Seconds for which a node is tried that cannot be reached. Who is silent, but seems to live, is left after ten
heartbeats by one neighbour and after another ten by the last; then a new parent is found, or given up looking for."""
MISSED = (EHOSTUNREACH, EAGAIN, ENOENT)
"""Answers to an order by which we know that it must be given again: lost, too early, to who does not know the job."""


class Leader:
    """Nodes are known by their number in the job, ranks are where they are."""

    def __init__(self, id: int, plan: Plan, patience: float = PATIENCE) -> None:
        self.id, self.plan = id, plan
        nodes = range(len(plan.ranks))
        self._contacts = {node: Contact(patience) for node in nodes}
        self._starting = set(nodes)
        self._running = set(nodes)
        self._lost: set[int] = set()
        self._credits = Credits(nodes)
        self._taken = dict.fromkeys(nodes, 0)
        self._exits = Exits()
        self._verdict: int | None = None
        """The wait status that the job ends with, whatever its tasks do, once something went wrong."""
        self._one_has_exited = False
        self._pairs: dict[int, dict[str, str]] = {}
        self._rounds = 0
        """PMI barriers that are done with."""

    @property
    def state(self) -> str:
        """What the job does: starting, running, or failing."""
        return "failing" if self._verdict is not None else "starting" if self._starting else "running"

    def begin(self) -> list[Action]:
        """The job has an id, tasks have their places, and nodes are asked to run them."""
        where = {"taskmap": self.plan.taskmap.to_json(wrapped=True), "ranks": list(self.plan.ranks)}
        return [Answer("accept", where), *(self._start(node) for node in self._contacts)]

    def counts_on(self, node: int) -> bool:
        """Whether a node is one of the job's, and was not given up."""
        return node in self._contacts and node not in self._lost

    # -- what nodes say ---------------------------------------------------------------------------------------------

    def heard(self, node: int, attempt: int, type: str, data: dict[str, Any]) -> list[Action]:
        """A node's shell said something. What is doubled, or of a type that we do not know, says nothing."""
        contact, said = self._contacts[node], _SAID.get(type)
        if node not in self._running or attempt != contact.attempt:
            return []
        contact.heard()
        return said(self, node, data) if said is not None else []

    def broken(self, node: int, attempt: int, errnum: int, text: str, now: float) -> list[Action]:
        """A node's answers have come to an end that was not its tasks'."""
        if node not in self._running or attempt != self._contacts[node].attempt:
            return []
        return self._unreachable(node, now) if errnum == EHOSTUNREACH else self._lose(node, errnum, text)

    def asked(self, ask: Ask, errnum: int, now: float) -> list[Action]:
        """A node has answered what we asked, or cannot."""
        contact = self._contacts[ask.node]
        if ask.node not in self._running:
            return []
        if errnum not in MISSED:
            contact.obeyed(ask.data.get("number", 0))
        elif ask.attempt == contact.attempt:
            return self._unreachable(ask.node, now)
        return []

    def again(self, node: int, attempt: int) -> list[Action]:
        """It is time to try a node again."""
        contact = self._contacts[node]
        if node not in self._running or attempt != contact.attempt:
            return []
        contact.away = False
        return [self._start(node), *(self._ask(node, order.topic, order.data) for order in contact.orders)]

    def _unreachable(self, node: int, now: float) -> list[Action]:
        contact = self._contacts[node]
        pause = contact.lost(now)
        return self._lose(node, EHOSTUNREACH, "") if pause is None else [Again(node, contact.attempt, pause)]

    def _lose(self, node: int, errnum: int, text: str) -> list[Action]:
        """A node answers no more. Its tasks count as killed."""
        tasks = str(self.plan.taskmap.taskids(node))
        why = "lost" if errnum == EHOSTUNREACH else text or strerror(errnum)
        note = f"{self._named(node)}: {why}, and with it task{'' if tasks.isdecimal() else 's'} {tasks}"
        partial = bool(self._starting or self._pairs or self._rounds)
        self._exits.add(tasks, SIGKILL)
        self._lost.add(node)
        self._running.discard(node)
        if partial:
            actions = self._fail("node-lost", note, SIGKILL, {"errnum": errnum})
        else:
            actions = [_exception(NOTED, "node-lost", note, {"errnum": errnum, "tasks": tasks})]
        return [*actions, Release(node), *self._left(node)]

    def _here(self, node: int, data: dict[str, Any]) -> list[Action]:
        self._contacts[node].host = data["host"]
        return []

    def _started(self, node: int, data: dict[str, Any]) -> list[Action]:
        if node not in self._starting:
            return []
        self._starting.discard(node)
        if self._starting or self._verdict is not None:
            return []
        return [Answer("start", {}), Answer("add-credit", {"channels": {"stdin": WINDOW}})]

    def _output(self, node: int, data: dict[str, Any]) -> list[Action]:
        contact, number = self._contacts[node], data["seq"]
        if number != contact.have + 1:
            return [] if number <= contact.have else self._gap(node)
        contact.have = number
        return [Answer("output", {"node": node, **data})]

    def _gap(self, node: int) -> list[Action]:
        contact = self._contacts[node]
        contact.gap()
        return [Again(node, contact.attempt, 0.0)]

    def _credit(self, node: int, data: dict[str, Any]) -> list[Action]:
        before, self._taken[node] = self._taken[node], data["taken"]
        return self._grant(self._credits.took(node, data["taken"] - before))

    def _enter(self, node: int, data: dict[str, Any]) -> list[Action]:
        """A node is in a PMI barrier, and brings its pairs. Everybody's go to all once it is the last one."""
        if data["round"] <= self._rounds:
            return []
        if self._lost:
            note = f"{self._named(min(self._lost))}: lost, and others wait for it"
            return self._fail("node-lost", note, SIGKILL, {"errnum": EHOSTUNREACH})
        self._pairs[node] = data["pairs"]
        if len(self._pairs) < len(self._contacts):
            return []
        everybody = {key: value for some in self._pairs.values() for key, value in some.items()}
        self._pairs, self._rounds = {}, data["round"]
        return self._order_all("wreck.release", {"pairs": everybody})

    def _exited(self, node: int, data: dict[str, Any]) -> list[Action]:
        """A task has ended; the client hears of the first one."""
        if self._one_has_exited:
            return []
        self._one_has_exited = True
        return [Answer("exited", data)]

    def _failed(self, node: int, data: dict[str, Any]) -> list[Action]:
        return self._fail("exec", data["note"], data["status"], {"errnum": data["errnum"]})

    def _finish(self, node: int, data: dict[str, Any]) -> list[Action]:
        if data["seq"] > self._contacts[node].have:
            return self._gap(node)
        self._exits.merge(data)
        self._running.discard(node)
        return self._left(node)

    # -- what the client says ---------------------------------------------------------------------------------------

    def signal(self, signum: int) -> list[Action]:
        """Signals all tasks."""
        return self._order_all("wreck.signal", {"signum": signum})

    def write(self, context: dict[str, Any]) -> list[Action]:
        """Passes stdin on."""
        return self._order_all("wreck.input", {"io": context})

    def acknowledge(self, numbers: dict[str, int]) -> list[Action]:
        """The client has each node's output up to a number."""
        actions: list[Action] = []
        for node, number in ((int(text), number) for text, number in numbers.items() if text.isdecimal()):
            if node in self._running:
                contact = self._contacts[node]
                contact.consumed = max(contact.consumed, min(number, contact.have))
                if not contact.away:
                    actions.append(self._ask(node, "wreck.consumed", {"id": self.id, "seq": contact.consumed}))
        return actions

    def abandoned(self) -> list[Action]:
        """There is nobody left to run for."""
        return self._fail("cancel", "the client is gone", SIGKILL, {})

    # -- inside -----------------------------------------------------------------------------------------------------

    def _fail(self, type: str, note: str, status: int, more: dict[str, Any]) -> list[Action]:
        """The job cannot go on: the first reason is told and decides, and all that runs is killed."""
        if self._verdict is not None:
            return []
        self._verdict = status
        return [_exception(FATAL, type, note, more), *self._order_all("wreck.end", {})]

    def _left(self, node: int) -> list[Action]:
        """A node runs nothing any more."""
        if self._running:
            return self._grant(self._credits.left(node))
        report = self._exits.report()
        if self._verdict is not None:
            report["status"] = self._verdict
        return [Answer("finish", report), Over()]

    def _grant(self, count: int) -> list[Action]:
        return [Answer("add-credit", {"channels": {"stdin": count}})] if count else []

    def _start(self, node: int) -> Start:
        return Start(node, self.plan.ranks[node], self._contacts[node].question)

    def _ask(self, node: int, topic: str, data: dict[str, Any]) -> Ask:
        return Ask(node, self._contacts[node].attempt, self.plan.ranks[node], topic, data)

    def _order_all(self, topic: str, data: dict[str, Any]) -> list[Action]:
        """Orders something of all nodes that run; those who are away just now hear it when they are back."""
        actions: list[Action] = []
        for node in sorted(self._running):
            order = self._contacts[node].order(topic, {"id": self.id, **data})
            if not self._contacts[node].away:
                actions.append(self._ask(node, order.topic, order.data))
        return actions

    def _named(self, node: int) -> str:
        host = self._contacts[node].host
        return f"rank {self.plan.ranks[node]}" + (f" ({host})" if host else "")


def _exception(severity: int, type: str, note: str, more: dict[str, Any]) -> Answer:
    return Answer("exception", {"severity": severity, "type": type, "note": note, **more})


_SAID: dict[str, Callable[[Leader, int, dict[str, Any]], list[Action]]] = {
    "here": Leader._here,
    "started": Leader._started,
    "output": Leader._output,
    "credit": Leader._credit,
    "enter": Leader._enter,
    "exited": Leader._exited,
    "failed": Leader._failed,
    "finish": Leader._finish,
}
