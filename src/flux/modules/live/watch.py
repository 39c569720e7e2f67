"""What is to be thought of a neighbour that says nothing. Pure: told how long, it answers what changed."""

from enum import IntEnum
from typing import NamedTuple


class Health(IntEnum):
    """What is thought of a broker; numbers and words of 2016's live module."""

    OK = 0
    SLOW = 1
    FAIL = 2
    UNKNOWN = 3

    def __str__(self) -> str:
        return self.name.lower()


class Limits(NamedTuple):
    """After how many silent heartbeats a neighbour counts as slow, and as failed."""

    slow: float = 3.0
    fail: float = 5.0


class Watch:
    """One neighbour. Who has been silent too long is suspected; whether it failed is settled by a second opinion."""

    def __init__(self, rank: int, now: float) -> None:
        self.rank = rank
        self.health = Health.OK
        self.asked = False
        """Whether a second opinion is being asked for."""
        self.heard = now
        self.told = float("-inf")
        """When it was last said what we think of it."""

    def look(self, idle: float, limits: Limits) -> Health:
        """What is to be thought of it after `idle` silent heartbeats. FAIL is a suspicion, and changes nothing yet."""
        if idle > limits.fail:
            return Health.FAIL
        return Health.SLOW if idle > limits.slow else Health.OK

    def certain(self, idle: float, limits: Limits) -> bool:
        """Whether no second opinion is needed any more: alive or not, it is of no use as a neighbour."""
        return idle > 2 * limits.fail

    def hopeless(self, idle: float, limits: Limits) -> bool:
        """Whether even rank 0 is waited for no longer, and the session given up."""
        return idle > 6 * limits.fail
