"""Which tasks run on which node (RFC 34), as blocks of (node, nodes, tasks per node, repeat), and its texts."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from flux.base.idset import IDset
from flux.base.invalid import Invalid

MAX_TASKS = 1 << 24
"""Tasks in one map; more is taken for a mistake."""


class Block(NamedTuple):
    """`repeat` times over: `ppn` consecutive tasks on each of `nnodes` nodes from `nodeid` on."""

    nodeid: int
    nnodes: int
    ppn: int
    repeat: int = 1

    @property
    def ntasks(self) -> int:
        return self.nnodes * self.ppn * self.repeat


class Taskmap:
    """The tasks of a job by node. A map without blocks is unknown."""

    __slots__ = ("blocks",)

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.blocks = list(blocks)

    @classmethod
    def of_nodes(cls, nodes: Iterable[int]) -> "Taskmap":
        """Makes the map from each task's node, task 0 first."""
        made = cls()
        for node, tasks in groupby(nodes):
            made.append(node, 1, sum(1 for _ in tasks))
        return made

    @classmethod
    def decode(cls, text: str) -> "Taskmap":
        """Reads any of the texts: RFC 34 JSON (bare or wrapped), PMI_process_mapping, raw. Raises ValueError."""
        if not text or "vector," in text:
            return cls(_pmi(text))
        if not set(text) & set("({[]})"):
            return _raw(text)
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            raise Invalid("taskmap is not JSON") from None
        return cls.from_json(value)

    @classmethod
    def from_json(cls, value: Any) -> "Taskmap":
        """Reads the JSON value. Raises ValueError."""
        if isinstance(value, dict):
            if value.get("version") != 1:
                raise Invalid("taskmap is not of version 1")
            value = value.get("map")
        if not isinstance(value, list):
            raise Invalid("taskmap must be an object or array")
        return cls(_checked(_block(entry) for entry in value))

    def append(self, nodeid: int, nnodes: int = 1, ppn: int = 1) -> None:
        """Adds the next tasks, to the last block where that can say it."""
        new = _block([nodeid, nnodes, ppn, 1])
        last = self.blocks[-1] if self.blocks else None
        if last is None:
            self.blocks.append(new)
        elif nodeid == last.nodeid + last.nnodes and ppn == last.ppn and last.repeat == 1:
            self.blocks[-1] = last._replace(nnodes=last.nnodes + nnodes)
            self._fold()
        elif last.nodeid == nodeid and last.nnodes == nnodes == 1 and last.repeat == 1:
            self.blocks[-1] = last._replace(ppn=last.ppn + ppn)
            self._fold()
        elif (last.nodeid, last.nnodes, last.ppn) == (nodeid, nnodes, ppn):
            self.blocks[-1] = last._replace(repeat=last.repeat + 1)
        else:
            self.blocks.append(new)

    def _fold(self) -> None:
        """Makes the last two blocks one when they differ in repeat alone."""
        if len(self.blocks) > 1 and self.blocks[-1][:3] == self.blocks[-2][:3]:
            last = self.blocks.pop()
            self.blocks[-1] = last._replace(repeat=self.blocks[-1].repeat + last.repeat)

    @property
    def unknown(self) -> bool:
        """Whether nothing is known of where tasks run."""
        return not self.blocks

    @property
    def nnodes(self) -> int:
        """The number of nodes, by the highest node id."""
        return max((block.nodeid + block.nnodes for block in self.blocks), default=0)

    @property
    def ntasks(self) -> int:
        """The number of all tasks."""
        return sum(block.ntasks for block in self.blocks)

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """Yields (node, first task, tasks) in the order of tasks."""
        task = 0
        for block in self.blocks:
            for _ in range(block.repeat):
                for node in range(block.nodeid, block.nodeid + block.nnodes):
                    yield node, task, block.ppn
                    task += block.ppn

    def taskids(self, nodeid: int) -> IDset:
        """The tasks of one node."""
        ids = IDset()
        task = 0
        for block in self.blocks:
            offset, per_round = nodeid - block.nodeid, block.nnodes * block.ppn
            if 0 <= offset < block.nnodes:
                for n in range(block.repeat):
                    first = task + n * per_round + offset * block.ppn
                    ids.set(first, first + block.ppn - 1)
            task += block.ntasks
        return ids

    def nodeid(self, taskid: int) -> int:
        """The node of one task. Raises LookupError."""
        left = taskid
        for block in self.blocks:
            if 0 <= left < block.ntasks:
                return block.nodeid + left % (block.nnodes * block.ppn) // block.ppn
            left -= block.ntasks
        raise LookupError(f"no task {taskid}")

    def to_json(self, wrapped: bool = False) -> Any:
        """The map as a JSON value."""
        blocks = [list(block) for block in self.blocks]
        return {"version": 1, "map": blocks} if wrapped else blocks

    def encode(self, wrapped: bool = False) -> str:
        """The map as RFC 34 text."""
        return json.dumps(self.to_json(wrapped), separators=(",", ":"))

    def pmi(self) -> str:
        """The map as the value of PMI_process_mapping."""
        blocks = [f"({b.nodeid},{b.nnodes},{b.ppn})" for b in self.blocks for _ in range(b.repeat)]
        return f"(vector,{','.join(blocks)})" if blocks else ""

    def raw(self) -> str:
        """The tasks of each node as idsets, node 0 first."""
        return ";".join(str(self.taskids(node)) for node in range(self.nnodes))

    def __str__(self) -> str:
        return self.encode()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taskmap) and self.blocks == other.blocks

    __hash__ = None  # type: ignore[assignment]


def _block(entry: Any) -> Block:
    if not isinstance(entry, list) or len(entry) != 4 or any(type(n) is not int for n in entry):
        raise Invalid(f"taskmap entry {entry!r:.40} is not four integers")
    block = Block(*entry)
    if block.nodeid < 0 or min(block[1:]) < 1:
        raise Invalid(f"invalid taskmap entry {entry!r:.60}")
    return block


def _checked(blocks: Iterable[Block]) -> list[Block]:
    made = list(blocks)
    if sum(block.ntasks for block in made) > MAX_TASKS or any(b.nodeid + b.nnodes > MAX_TASKS for b in made):
        raise Invalid(f"taskmap has more than {MAX_TASKS} tasks or nodes")
    return made


def _pmi(text: str) -> list[Block]:
    if not text.strip():
        return []
    inner = "".join(text.split())
    if not inner.startswith("(vector,(") or not inner.endswith("))"):
        raise Invalid("vector prefix must precede blocklist")
    made = Taskmap()
    for block in inner.removeprefix("(vector,(").removesuffix("))").split("),("):
        numbers = block.split(",")
        if len(numbers) != 3 or not all(n.isascii() and n.isdigit() and len(n) < 10 for n in numbers):
            raise Invalid(f"unable to parse block: ({block:.40})")
        _checked([_block([*map(int, numbers), 1])])
        made.append(*map(int, numbers))
    return _checked(made.blocks)


def _raw(text: str) -> Taskmap:
    runs: list[tuple[int, int, int]] = []
    for node, ids in enumerate(text.split(";")):
        runs += [(lo, hi, node) for lo, hi in IDset(ids).ranges()]
    made, expected = Taskmap(), 0
    for lo, hi, node in sorted(runs):
        if lo < expected:
            raise Invalid(f"duplicate taskid specified: {lo}")
        if lo > expected:
            raise Invalid(f"missing taskid: {expected}")
        made.append(node, 1, hi - lo + 1)
        expected = hi + 1
    return Taskmap(_checked(made.blocks))
