"""What two neighbouring brokers say to each other: topics and payloads of the tree, private to us."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from flux.overlay.routes import Claim
from flux.wire.message import BadMessage, Request, Response

HELLO, CLAIM, GOODBYE = "overlay.hello", "overlay.claim", "overlay.goodbye"
REPLAY, LOST_EVENTS = "overlay.replay", "overlay.lost"
MOVED, AWAY, LINE, ROUND = "overlay.moved", "overlay.away", "overlay.line", "overlay.round"
"""A child has another parent now; it should look for one; who is above has changed; a broker wants to come before us
on the ring."""
CLIMB = "overlay.climb"
"""Is that rank above us? It goes up to rank 0."""
BROKEN = "overlay.broken"
"""A connection is gone, with what was on its way back over it. Told to all, by the ways that requests took."""

PROTOCOL = 2
"""The version of this conversation; neighbours must agree."""

T = TypeVar("T")


class Hello(NamedTuple):
    """How a child introduces itself."""

    rank: int
    uuid: str
    protocol: int
    last: int
    claims: list[Claim]

    def payload(self) -> dict[str, Any]:
        """As it travels."""
        return self._asdict()

    @classmethod
    def of(cls, msg: Request) -> "Hello":
        """Reads it; BadMessage names what is wrong."""
        claims = to_claims(read(msg, "claims", list))
        numbers = (read(msg, "rank", int), read(msg, "uuid", str), read(msg, "protocol", int), read(msg, "last", int))
        return cls(*numbers, claims)


def read(msg: Request | Response, key: str, kind: type[T]) -> T:
    """One key of a payload between brokers. BadMessage if it is not there or of another kind."""
    try:
        value = msg.body().get(key)
    except OSError as error:
        raise BadMessage(f"{msg.topic}: {error.strerror}") from None
    if not isinstance(value, kind):
        raise BadMessage(f"{msg.topic}: {key} is missing or of the wrong kind")
    return value


def to_claims(rows: Iterable[Any]) -> list[Claim]:
    """Reads claims; BadMessage for what is none."""
    claims = []
    for row in rows:
        match row:
            case [int(rank), str(uuid), int(epoch), str(card)]:
                claims.append(Claim(rank, uuid, epoch, card))
            case _:
                raise BadMessage(f"not a claim: {row!r:.60}")
    return claims
