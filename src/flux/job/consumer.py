"""Journals: streams of events, first those that were, then those that come (RFC 21, 44)."""

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from errno import ENODATA
from typing import TYPE_CHECKING, Any, Self

from flux.constants import FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.eventlog import EventLogEvent
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux


class JournalEventBase(EventLogEvent):
    """An event of a journal; the empty one stands between those that were and those that come."""

    def __init__(self, event: dict[str, Any]) -> None:
        super().__init__({"timestamp": time.time()} | event)

    def is_empty(self) -> bool:
        """Whether it is the empty one."""
        return "name" not in self

    def __str__(self) -> str:
        if self.is_empty():
            return f"{self.timestamp:<0.5f} End of historical data stream"
        return f"{self.timestamp:<0.5f} {self.name} {self.context_string}"


class History:
    """Puts answers of a journal into events, in order: those that were are sorted by time. Pure.

    `make` gives the events of an answer; with `sentinel` an empty one stands after those that were.
    """

    def __init__(
        self,
        make: Callable[[Mapping[str, Any]], list[JournalEventBase]],
        full: bool,
        since: float,
        sentinel: JournalEventBase | None,
    ) -> None:
        self._make, self._since, self._sentinel = make, since, sentinel
        self.past = full
        """Whether it is told of what was."""
        self._held: list[JournalEventBase] = []

    def take(self, answer: Mapping[str, Any]) -> list[JournalEventBase]:
        """Takes an answer; returns what follows from it."""
        if self.past and not answer["events"]:
            self.past = False
            done, self._held = sorted(self._held, key=lambda event: event.timestamp), []
            return done + ([self._sentinel] if self._sentinel is not None else [])
        events = [event for event in self._make(answer) if event.timestamp > self._since]
        if self.past:
            self._held += events
            return []
        return events


class JournalConsumerBase(ABC):
    """Follows a journal. Subclasses say how an answer becomes events."""

    SENTINEL_EVENT = JournalEventBase({})

    def __init__(
        self,
        flux_handle: "Flux",
        topic: str,
        cancel_topic: str | None = None,
        full: bool = True,
        since: float = 0.0,
        include_sentinel: bool = False,
    ) -> None:
        """`full`: also what was; `since`: only what is later, in seconds since 1970; `include_sentinel`: an empty event
        between what was and what comes."""
        self.handle, self.topic, self.cancel_topic = flux_handle, topic, cancel_topic or f"{topic}-cancel"
        self.full, self.since, self.include_sentinel = full, since, include_sentinel
        self.rpc: RPC | None = None
        self._history = self._begun()
        self._ready: deque[JournalEventBase | None] = deque()
        self._callback: Callable[[JournalEventBase], Any] | None = None
        self._called = False

    @abstractmethod
    def process_response(self, resp: Mapping[str, Any]) -> dict[str, Any]:
        """What `create_event` gets of an answer, besides each of its events."""

    @abstractmethod
    def create_event(self, entry: dict[str, Any], **kwargs: Any) -> JournalEventBase:
        """Makes an event."""

    @property
    def request_payload(self) -> dict[str, Any]:
        """What is sent with the request."""
        return {}

    def start(self) -> Self:
        """Asks, and returns the consumer. Called again, it begins anew."""
        self._history = self._begun()
        self.rpc = RPC(self.handle, self.topic, self.request_payload, nodeid=0, flags=FLUX_RPC_STREAMING)
        self._called = False
        self._call_later()
        return self

    def stop(self) -> None:
        """Wants no more events; after those on their way comes None. RuntimeError if it was not started."""
        if self.rpc is None:
            raise RuntimeError("stop() called before start()")
        RPC(self.handle, self.cancel_topic, {"matchtag": self.rpc.matchtag}, nodeid=0, flags=FLUX_RPC_NORESPONSE)

    def poll(self, timeout: float = -1.0) -> Any:
        """The next event; None when it is stopped and there are no more.

        Waits at most `timeout` seconds, without an end if negative: TimeoutError. RuntimeError if it was not started;
        OSError if the journal is refused.
        """
        if self.rpc is None:
            raise RuntimeError("poll() called before start()")
        while not self._ready:
            self.rpc.wait_for(timeout)
            self._take(self.rpc)
        return self._ready.popleft()

    def set_callback(self, event_cb: Callable[..., Any], *args: Any, **kwargs: Any) -> Self:
        """Has the handle's reactor call `event_cb(event, *args, **kwargs)` for each event. Returns the consumer.

        When it is stopped, and has called it for the last event, it keeps the reactor from ending no more. OSError
        comes out of the reactor if the journal is refused.
        """
        self._callback = lambda event: event_cb(event, *args, **kwargs)
        self._call_later()
        return self

    # -- inside -----------------------------------------------------------------------------------------------------

    def _begun(self) -> History:
        sentinel = self.SENTINEL_EVENT if self.include_sentinel else None
        return History(self._events, self.full, self.since, sentinel)

    def _events(self, answer: Mapping[str, Any]) -> list[JournalEventBase]:
        more = self.process_response(answer)
        return [self.create_event(entry, **more) for entry in answer["events"]]

    def _take(self, rpc: RPC) -> None:
        """Takes the answer that has come."""
        try:
            self._ready += self._history.take(rpc.get())
        except OSError as error:
            if error.errno != ENODATA:
                raise
            self._ready.append(None)
        else:
            rpc.reset()

    def _call_later(self) -> None:
        if self.rpc is not None and self._callback is not None and not self._called:
            self._called = True
            self.rpc.then(self._answered)

    def _answered(self, rpc: RPC) -> None:
        self._take(rpc)
        while self._ready and self._callback is not None:
            event = self._ready.popleft()
            if event is not None:
                self._callback(event)
