"""Session-wide events in one order: numbered by rank 0, seen once, replayed after a gap, or declared lost."""

from collections import deque

from flux.wire.message import Event, Message

KEPT = 4096
"""Events that every broker keeps for replay."""


class EventLog:
    """The events that one broker has seen, and those it holds because an earlier one is missing."""

    def __init__(self, kept: int = KEPT) -> None:
        self.last = 0
        """The number of the last event that was delivered; all before it were, or were declared lost."""
        self._kept: deque[Event] = deque(maxlen=kept)
        self._early: dict[int, Event] = {}

    def publish(self, event: Event) -> Event:
        """Numbers an event. Only rank 0 does this."""
        self.last += 1
        event.sequence = self.last
        self._kept.append(event)
        return event

    def receive(self, event: Event) -> list[Event]:
        """Takes an event from the parent; returns what can be delivered now, in order. A double is dropped."""
        if event.sequence <= self.last:
            return []
        self._early[event.sequence] = event
        ready = []
        while (following := self._early.pop(self.last + 1, None)) is not None:
            self.last = following.sequence
            self._kept.append(following)
            ready.append(following)
        return ready

    @property
    def gap(self) -> bool:
        """Whether an event is held because one before it is missing."""
        return bool(self._early)

    @property
    def newest(self) -> int:
        """The highest number that came in so far, delivered or held."""
        return max(self._early, default=self.last)

    @property
    def out_of_reach(self) -> int:
        """The number of the last event that is not kept any more."""
        return self.last - len(self._kept)

    def since(self, last: int) -> list[Event]:
        """The events after number `last`, as far as they are kept."""
        return [event for event in self._kept if event.sequence > last] if last < self.last else []

    def resume(self, last: int) -> list[Event]:
        """Goes on after number `last`: what lies before is lost, or was never ours. Returns what can be delivered."""
        if last <= self.last:
            return []
        self.last = last
        self._kept.clear()
        self._early = {n: event for n, event in self._early.items() if n > last}
        nearest = self._early.get(last + 1)
        return self.receive(nearest) if nearest is not None else []


class Gate:
    """Holds messages that must not be delivered before an event that their sender had seen."""

    def __init__(self) -> None:
        self._held: deque[tuple[int, Message]] = deque()

    def __bool__(self) -> bool:
        return bool(self._held)

    def hold(self, mark: int, msg: Message) -> None:
        """Keeps a message until event `mark` was delivered. What comes after it waits too: order stays."""
        self._held.append((mark, msg))

    def release(self, last: int) -> list[tuple[int, Message]]:
        """What may go now that event `last` was delivered, each with its mark."""
        free = []
        while self._held and self._held[0][0] <= last:
            free.append(self._held.popleft())
        return free
