"""What many ranks answered to one question: equal answers share an entry. Pure."""

from typing import Any, NamedTuple

from flux.base.idset import IDset

TOPIC = "multicast.call"
"""Who asks many ranks at once asks this."""


class Reply(NamedTuple):
    """An answer, and the ranks that gave it: a JSON value, text, or None for an answer without a payload."""

    ranks: IDset
    payload: Any


class Refusal(NamedTuple):
    """An error answer, and the ranks that gave it, or for which it was given (EHOSTUNREACH, ETIMEDOUT)."""

    ranks: IDset
    errnum: int
    text: str

    def line(self) -> str:
        """As it is told: `ranks 1-2: no such module`."""
        return f"{named(self.ranks)}: {self.text}"


class Gathered(NamedTuple):
    """The answers and errors of all ranks that were asked; of a stream, those that came together.

    `ended` are the ranks whose stream has come to its end.
    """

    answers: list[Reply]
    errors: list[Refusal]
    ended: IDset

    @classmethod
    def read(cls, body: dict[str, Any]) -> "Gathered":
        """Reads what `multicast.call` answers."""
        return cls(
            [Reply(IDset(ranks), payload) for ranks, payload in body["answers"]],
            [Refusal(IDset(ranks), errnum, text) for ranks, errnum, text in body["errors"]],
            IDset(body.get("ended", "")),
        )

    def by_rank(self) -> dict[int, Any]:
        """The answer of each rank that gave one."""
        return dict(sorted((rank, payload) for ranks, payload in self.answers for rank in ranks))

    def check(self) -> "Gathered":
        """Raises an OSError that names the ranks that refused, if any did; its errno is that of the first."""
        if self.errors:
            raise OSError(self.errors[0].errnum, "; ".join(refusal.line() for refusal in self.errors))
        return self


def named(ranks: IDset) -> str:
    """A set of ranks in a sentence: `rank 3`, `ranks 0-7`."""
    return f"rank{'s' if len(ranks) > 1 else ''} {ranks}"


def question(topic: str, payload: Any = None, ranks: Any = "all", within: float | None = None) -> dict[str, Any]:
    """The payload of `multicast.call`; `within` are seconds. Text is checked by who is asked."""
    wanted = ranks if isinstance(ranks, str) else str(IDset(ranks))
    asked = {"topic": topic, "payload": payload, "ranks": wanted}
    return asked if within is None else asked | {"timeout": within}
