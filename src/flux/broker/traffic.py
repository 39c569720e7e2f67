"""How many messages of each kind a broker has exchanged with each neighbour on the tree."""

from collections import defaultdict

from flux.wire.message import Control, Event, Message, Request, Response

KINDS = ("request", "response", "event", "control")
_PLACE: dict[type[Message], int] = {Request: 0, Response: 1, Event: 2, Control: 3}

Counts = list[int]


def _none() -> Counts:
    return [0, 0, 0, 0]


class Traffic:
    """Counts by link and kind. What is published for all children is one event, however many there are."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Counts from 0."""
        self.published = 0
        self._received: defaultdict[bytes, Counts] = defaultdict(_none)
        self._sent: defaultdict[bytes, Counts] = defaultdict(_none)

    def received(self, link: bytes, msg: Message) -> None:
        """One more has come."""
        self._received[link][_PLACE[type(msg)]] += 1

    def sent(self, link: bytes, msg: Message) -> None:
        """One more has gone."""
        self._sent[link][_PLACE[type(msg)]] += 1

    def forget(self, link: bytes) -> None:
        """That neighbour is gone."""
        self._received.pop(link, None)
        self._sent.pop(link, None)

    def of(self, link: bytes) -> dict[str, dict[str, int]]:
        """The counts of one neighbour, as stats-get answers them."""
        return {"tx": named(self._sent.get(link, _none())), "rx": named(self._received.get(link, _none()))}


def named(counts: Counts) -> dict[str, int]:
    """Counts by the names of their kinds; services have none of the last kind."""
    return {kind: counts[place] if place < len(counts) else 0 for place, kind in enumerate(KINDS)}
