"""What the leader of a job and one of its nodes have said to each other, so that they can go on where they were. Pure.

The node's answers to `wreck.start` may break off: the leader then starts it again, which a node that has the job takes
as a question for what the leader does not have. What the leader orders is numbered, kept until the node has obeyed,
and given again."""

from collections import deque
from typing import Any, NamedTuple

from flux.modules.wreck.patience import Patience


class Order(NamedTuple):
    """Something that a node must do once, after what was ordered before."""

    number: int
    topic: str
    data: dict[str, Any]


class Contact:
    """The leader's side of one node."""

    def __init__(self, limit: float) -> None:
        self.attempt = 1
        """Which `wreck.start` is in force: what concerns an earlier one is of no interest any more."""
        self.away = False
        """Whether the node could not be reached, and is not yet tried again."""
        self.known = False
        """Whether the node has the job. If it does not know of it later, it has forgotten."""
        self.host = ""
        self.have = 0
        """The number of the last output that came."""
        self.consumed = 0
        """The number of the last output that the client has."""
        self._orders: deque[Order] = deque()
        self._ordered = 0
        self._patience = Patience(limit)

    @property
    def orders(self) -> list[Order]:
        """What the node has not said to have obeyed."""
        return list(self._orders)

    @property
    def question(self) -> dict[str, Any]:
        """What `wreck.start` says besides the job."""
        return {"attempt": self.attempt, "resume": self.known, "after": self.have, "consumed": self.consumed}

    def order(self, topic: str, data: dict[str, Any]) -> Order:
        """Adds an order."""
        self._ordered += 1
        order = Order(self._ordered, topic, {**data, "number": self._ordered})
        self._orders.append(order)
        return order

    def obeyed(self, number: int) -> None:
        """The node has done what was ordered up to that number."""
        while self._orders and self._orders[0].number <= number:
            self._orders.popleft()

    def heard(self) -> None:
        """The node is there."""
        self.known = True
        self._patience.heard()

    def lost(self, now: float) -> float | None:
        """The node could not be reached. Returns the seconds until it should be tried again, None if it should not."""
        self._leave()
        return self._patience.failed(now)

    def gap(self) -> None:
        """Something that the node has said is missing: it is asked again at once."""
        self._leave()

    def _leave(self) -> None:
        self.attempt += 1
        self.away = True
