"""What a node tells its broker about its neighbours, beside the messages that it wants sent."""

from typing import NamedTuple


class ParentReady(NamedTuple):
    """The parent took us in."""

    parent: bytes


class ParentLost(NamedTuple):
    """The parent is gone, or does not want us."""

    reason: str


class Joined(NamedTuple):
    """Brokers can be reached below `link` now."""

    link: bytes
    ranks: tuple[int, ...]


class Gone(NamedTuple):
    """Brokers cannot be reached any more. `uuids` are their addresses in routes."""

    ranks: tuple[int, ...]
    uuids: tuple[bytes, ...]
    reason: str


class Drop(NamedTuple):
    """That link is of no use any more: close it."""

    link: bytes


class EventsLost(NamedTuple):
    """Events up to number `last` are out of reach: services fetch anew what they follow."""

    last: int


class Noise(NamedTuple):
    """Something came in that no broker of ours would send; it was ignored."""

    text: str


Notice = ParentReady | ParentLost | Joined | Gone | Drop | EventsLost | Noise
