"""What the leader of a job wants done."""

from typing import Any, NamedTuple, TypeAlias


class Answer(NamedTuple):
    """Tell the client."""

    type: str
    data: dict[str, Any]


class Start(NamedTuple):
    """Ask a node to run its tasks, or to say on how far they are. `Leader.heard` and `broken` get what comes."""

    node: int
    rank: int
    data: dict[str, Any]

    @property
    def attempt(self) -> int:
        """Which one it is."""
        number: int = self.data["attempt"]
        return number


class Ask(NamedTuple):
    """Send this to a node. `Leader.asked` gets the answer."""

    node: int
    attempt: int
    rank: int
    topic: str
    data: dict[str, Any]


class Again(NamedTuple):
    """Call `Leader.again` in so many seconds."""

    node: int
    attempt: int
    pause: float


class Release(NamedTuple):
    """Nothing of the job is wanted of that node any more: tell it so, should it still attend."""

    node: int


class Over(NamedTuple):
    """The job is over: forget it."""


Action: TypeAlias = Answer | Start | Ask | Again | Release | Over
