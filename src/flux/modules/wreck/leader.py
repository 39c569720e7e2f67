"""One job seen by the broker that was asked for it: folds what its nodes say into what the client is told. Pure.

Clients are told what RFC 32 has (`start`, `exception`, `finish`), and `accept`, `output`, `add-credit` besides:
`{id type data}` each, `finish` last."""

from collections.abc import Callable
from errno import EHOSTUNREACH
from os import strerror
from typing import Any, NamedTuple, TypeAlias

from flux.shell.exits import Exits
from flux.shell.input import WINDOW, Credits
from flux.shell.plan import Plan

SIGKILL = 9


class Answer(NamedTuple):
    """Tell the client."""

    type: str
    data: dict[str, Any]


class Ask(NamedTuple):
    """Send this to a node; no answer is expected."""

    rank: int
    topic: str
    data: dict[str, Any]


class Over(NamedTuple):
    """The job is over: forget it."""


Action: TypeAlias = Answer | Ask | Over


class Leader:
    """Nodes are known by their number in the job, ranks are where they are."""

    def __init__(self, id: int, plan: Plan) -> None:
        self.id, self.plan = id, plan
        nodes = range(len(plan.ranks))
        self._starting = set(nodes)
        self._running = set(nodes)
        self._last = dict.fromkeys(nodes, 0)
        self._credits = Credits(nodes)
        self._exits = Exits()
        self._verdict: int | None = None
        """The wait status that the job ends with, whatever its tasks do, once something went wrong."""
        self._pairs: dict[int, dict[str, str]] = {}

    @property
    def state(self) -> str:
        """What the job does: starting, running, or failing."""
        return "failing" if self._verdict is not None else "starting" if self._starting else "running"

    def accepted(self) -> list[Action]:
        """The job has an id, and tasks have their places."""
        return [Answer("accept", {"taskmap": self.plan.taskmap.to_json(wrapped=True), "ranks": list(self.plan.ranks)})]

    # -- what nodes say ---------------------------------------------------------------------------------------------

    def heard(self, node: int, type: str, data: dict[str, Any]) -> list[Action]:
        """A node's shell said something. What is doubled, or of a type that we do not know, says nothing."""
        said = _SAID.get(type)
        return said(self, node, data) if said is not None and node in self._running else []

    def lost(self, node: int, errnum: int, text: str) -> list[Action]:
        """A node answers no more. Its tasks count as killed."""
        if node not in self._running:
            return []
        self._exits.add(str(self.plan.taskmap.taskids(node)), SIGKILL)
        why = "lost" if errnum == EHOSTUNREACH else text or strerror(errnum)
        actions = self._fail("node", f"rank {self.plan.ranks[node]}: {why}", SIGKILL, {"errnum": errnum})
        return actions + self._left(node)

    def entered(self, node: int, pairs: dict[str, str]) -> dict[str, str] | None:
        """A node is in the PMI barrier. Everybody's pairs once it is the last one."""
        self._pairs[node] = pairs
        if len(self._pairs) < len(self.plan.ranks):
            return None
        everybody, self._pairs = self._pairs, {}
        return {key: value for some in everybody.values() for key, value in some.items()}

    def _started(self, node: int, data: dict[str, Any]) -> list[Action]:
        self._starting.discard(node)
        if self._starting or self._verdict is not None:
            return []
        return [Answer("start", {}), Answer("add-credit", {"channels": {"stdin": WINDOW}})]

    def _output(self, node: int, data: dict[str, Any]) -> list[Action]:
        if data["seq"] <= self._last[node]:
            return []
        self._last[node] = data["seq"]
        return [Answer("output", {"node": node, **data})]

    def _credit(self, node: int, data: dict[str, Any]) -> list[Action]:
        return self._grant(self._credits.took(node, data["bytes"]))

    def _failed(self, node: int, data: dict[str, Any]) -> list[Action]:
        return self._fail("exec", data["note"], data["status"], {"errnum": data["errnum"]})

    def _finish(self, node: int, data: dict[str, Any]) -> list[Action]:
        self._exits.merge(data)
        return self._left(node)

    # -- what the client says ---------------------------------------------------------------------------------------

    def signal(self, signum: int) -> list[Action]:
        """Signals all tasks."""
        return self._ask_all("wreck.signal", {"signum": signum})

    def write(self, context: dict[str, Any]) -> list[Action]:
        """Passes stdin on."""
        return self._ask_all("wreck.input", {"io": context})

    def acknowledge(self, numbers: dict[str, int]) -> list[Action]:
        """The client has each node's output up to a number."""
        nodes = {int(node): number for node, number in numbers.items() if node.isdecimal()}
        return [
            Ask(self.plan.ranks[node], "wreck.consumed", {"id": self.id, "seq": number})
            for node, number in nodes.items()
            if node in self._running
        ]

    def abandoned(self) -> list[Action]:
        """There is nobody left to run for."""
        return self._fail("cancel", "the client is gone", SIGKILL, {})

    # -- inside -----------------------------------------------------------------------------------------------------

    def _fail(self, type: str, note: str, status: int, more: dict[str, Any]) -> list[Action]:
        """The job cannot go on: the first reason is told and decides, and all that runs is killed."""
        if self._verdict is not None:
            return []
        self._verdict = status
        told = Answer("exception", {"severity": 0, "type": type, "note": note, **more})
        return [told, *self._ask_all("wreck.end", {})]

    def _left(self, node: int) -> list[Action]:
        self._running.discard(node)
        if self._running:
            return self._grant(self._credits.left(node))
        report = self._exits.report()
        if self._verdict is not None:
            report["status"] = self._verdict
        return [Answer("finish", report), Over()]

    def _grant(self, count: int) -> list[Action]:
        return [Answer("add-credit", {"channels": {"stdin": count}})] if count else []

    def _ask_all(self, topic: str, data: dict[str, Any]) -> list[Action]:
        return [Ask(self.plan.ranks[node], topic, {"id": self.id, **data}) for node in sorted(self._running)]


_SAID: dict[str, Callable[[Leader, int, dict[str, Any]], list[Action]]] = {
    "started": Leader._started,
    "output": Leader._output,
    "credit": Leader._credit,
    "failed": Leader._failed,
    "finish": Leader._finish,
}
