"""How the tree of brokers is drawn."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from flux.base.duration import exact_fsd

COLOURS = {"full": "32", "partial": "33", "degraded": "33", "offline": "2", "lost": "31"}
MARK = "1;34"


class Branch(NamedTuple):
    """A broker as it answered, and those below it. Times in seconds; less than 0 for unknown."""

    rank: int
    status: str
    duration: float
    took: float
    error: str
    children: list[Any]

    @property
    def well(self) -> bool:
        """Whether nobody is missing here or below."""
        return self.status == "full"

    def everybody(self) -> "Iterator[Branch]":
        """This broker and all below it."""
        yield self
        for child in self.children:
            yield from child.everybody()

    def has(self, ranks: set[int]) -> bool:
        """Whether one of these ranks is here or below."""
        return self.rank in ranks or any(child.has(ranks) for child in self.children)


class Look(NamedTuple):
    """What is shown, and how."""

    verbose: int
    pretty: bool
    down: bool
    colour: bool
    hosts: list[str]
    marked: set[int]


def without_ghosts(branch: Branch) -> Branch:
    """The same without those who are missing."""
    there = [child for child in branch.children if child.status not in ("lost", "offline")]
    return branch._replace(children=[without_ghosts(child) for child in there])


def draw(branch: Branch, look: Look) -> Iterator[str]:
    """A line for each broker."""
    yield from _draw(branch, look, "", "")


def summary(health: dict[str, Any], look: Look, took: float) -> str:
    """The status of a subtree in one line."""
    return _words(Branch(health["rank"], health["status"], health["duration"], took, "", []), look)


def as_json(branch: Branch, look: Look) -> str:
    """The same as a JSON object; what is not known is left out."""
    from json import dumps

    return dumps(_object(branch, look), indent=2)


def _object(branch: Branch, look: Look) -> dict[str, Any]:
    host = {"host": look.hosts[branch.rank]} if branch.rank < len(look.hosts) else {}
    known = {"duration": branch.duration} if branch.duration >= 0 else {}
    error = {"error": branch.error} if branch.error else {}
    shown = [child for child in branch.children if not (look.down and child.well)]
    children = {"children": [_object(child, look) for child in shown]}
    return {"rank": branch.rank} | host | {"status": branch.status} | known | error | children


def _draw(branch: Branch, look: Look, stem: str, below: str) -> Iterator[str]:
    if look.down and branch.well:
        return
    name = f"{branch.rank} {look.hosts[branch.rank]}" if branch.rank < len(look.hosts) else str(branch.rank)
    if branch.has(look.marked):
        name = _coloured(name, MARK, look) if look.colour else f"<<{name}>>"
    yield f"{stem}{name}: {_words(branch, look)}"
    children = [child for child in branch.children if not (look.down and child.well)]
    for child in children:
        last = child is children[-1]
        if look.pretty:
            yield from _draw(child, look, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))
        else:
            yield from _draw(child, look, "", "")


def _words(branch: Branch, look: Look) -> str:
    words = [_coloured(branch.status, COLOURS.get(branch.status, "0"), look)]
    if look.verbose and branch.duration >= 0:
        words.append(f"for {exact_fsd(branch.duration, 2)}")
    if look.verbose > 1 and branch.took >= 0:
        words.append(f"({branch.took * 1000:.3f} ms)")
    return " ".join([*words, branch.error] if branch.error else words)


def _coloured(text: str, code: str, look: Look) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if look.colour else text
