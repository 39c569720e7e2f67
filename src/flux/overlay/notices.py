"""What a node tells its broker about its neighbours, beside the messages that it wants sent."""

from typing import NamedTuple


class ParentReady(NamedTuple):
    """The parent took us in; `before` is the one we had until then, b"" for none."""

    parent: bytes
    before: bytes = b""


class ParentLost(NamedTuple):
    """The parent is gone, or has sent us away."""

    reason: str
    parent: bytes = b""


class Refused(NamedTuple):
    """A broker that we said hello to is gone, or does not take us in."""

    link: bytes
    errnum: int
    reason: str


class Joined(NamedTuple):
    """Brokers can be reached below `link` now."""

    link: bytes
    ranks: tuple[int, ...]


class Gone(NamedTuple):
    """Brokers cannot be reached any more. `links` are those that we had to some of them ourselves."""

    ranks: tuple[int, ...]
    links: tuple[bytes, ...]
    reason: str


class Broken(NamedTuple):
    """Between two brokers that are next to each other on routes nothing gets through any more."""

    near: bytes
    far: bytes


class Moved(NamedTuple):
    """A child has another parent now; what it owes us and we owe it still goes over its link."""

    link: bytes


class Dismissed(NamedTuple):
    """The parent is about to leave: we should look for another one while it is still there."""

    parent: bytes


class LineChanged(NamedTuple):
    """Others are above us than before."""


class RingWanted(NamedTuple):
    """Something is to go round the ring, and the next broker on it is not connected."""


class RingReady(NamedTuple):
    """The next broker on the ring has answered."""

    link: bytes


class RingLost(NamedTuple):
    """The next broker on the ring is gone."""

    link: bytes
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


Notice = (
    ParentReady
    | ParentLost
    | Refused
    | Broken
    | Moved
    | Dismissed
    | LineChanged
    | RingWanted
    | RingReady
    | RingLost
    | Joined
    | Gone
    | Drop
    | EventsLost
    | Noise
)
