"""What was asked for at once, taken in the order in which it was asked for."""

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, Generic, TypeVar

T = TypeVar("T")
AHEAD, AHEAD_IN_WINDOW = 64, 4
"""Blobs of one watcher that are loaded at the same time; and of one that takes only so many bytes."""


class Place(Generic[T]):
    """Where one answer belongs."""

    __slots__ = ("answer", "come", "ref")

    def __init__(self, ref: str = "") -> None:
        self.ref, self.come = ref, False
        self.answer: T | None = None


class InOrder(Generic[T]):
    """Answers come when they come, and are taken in order."""

    __slots__ = ("_places", "_take")

    def __init__(self, take: Callable[[T], None]) -> None:
        self._places: deque[Place[T]] = deque()
        self._take = take

    def expect(self) -> Callable[[T], None]:
        """Keeps a place; returns what is to be called with the answer."""
        place: Place[T] = Place()
        self._places.append(place)

        def come(answer: T) -> None:
            place.answer, place.come = answer, True
            self._flush()

        return come

    def _flush(self) -> None:
        while self._places and self._places[0].come:
            self._take(self._places.popleft().answer)  # type: ignore[arg-type]


class Outbox:
    """Things to do in order, some of which need a blob first. Blobs are loaded some ahead.

    With a window of so many bytes, none is loaded beyond those until there is room again; the few that are loaded
    then come all the same.
    """

    __slots__ = ("_ahead", "_begun", "_load", "_places", "_room", "_unbegun", "_with_blob")

    def __init__(
        self, load: Callable[[str, Callable[[Any], None]], None], with_blob: Callable[[Any], None], window: int = 0
    ) -> None:
        self._load, self._with_blob = load, with_blob
        self._room: float = window or inf
        self._ahead = AHEAD_IN_WINDOW if window else AHEAD
        self._places: deque[Place[Callable[[], None]]] = deque()
        self._unbegun: deque[Place[Callable[[], None]]] = deque()
        self._begun = 0

    def put(self, do: Callable[[], None]) -> None:
        """Does something when all before it is done."""
        place: Place[Callable[[], None]] = Place()
        place.answer, place.come = do, True
        self._places.append(place)
        self._flush()

    def put_blob(self, ref: str) -> None:
        """Has a blob taken when all before it is done."""
        place: Place[Callable[[], None]] = Place(ref)
        self._places.append(place)
        self._unbegun.append(place)
        self._flush()

    def make_room(self, size: int) -> None:
        """There is room for so much more; or less, if it is negative."""
        self._room += size
        if size > 0:
            self._flush()

    def clear(self) -> None:
        """Nobody waits any more."""
        self._places.clear()
        self._unbegun.clear()

    def _flush(self) -> None:
        while self._places and self._places[0].come:
            place = self._places.popleft()
            self._begun -= bool(place.ref)
            if place.answer is not None:
                place.answer()
        while self._unbegun and self._begun < self._ahead and self._room > 0:
            self._begun += 1
            self._begin(self._unbegun.popleft())

    def _begin(self, place: Place[Callable[[], None]]) -> None:
        def come(loaded: Any) -> None:
            place.answer, place.come = lambda: self._with_blob(loaded), True
            self._flush()

        self._load(place.ref, come)
