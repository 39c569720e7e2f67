"""When a connection is read: not while a loop takes less than comes, unless somebody waits for something else."""

from typing import Protocol, Self


class Link(Protocol):
    """What is read, or not for now."""

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Flow:
    """Counts who waits, and knows who has too much.

    While anybody waits, all is read, as what is waited for may come behind what nobody takes: a loop over a stream may
    ask something else for each answer.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._waiting = 0
        self._full: set[object] = set()
        self._paused = False

    def waiting(self) -> Self:
        """Somebody waits, in the `with`."""
        return self

    def __enter__(self) -> Self:
        self._waiting += 1
        if self._full:
            self._steer()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting -= 1
        if self._full:
            self._steer()

    def fill(self, who: object) -> None:
        """This one has more than enough."""
        self._full.add(who)
        self._steer()

    def drain(self, who: object) -> None:
        """It can take more, or wants no more."""
        self._full.discard(who)
        self._steer()

    def _steer(self) -> None:
        pause = bool(self._full) and not self._waiting
        if pause != self._paused:
            self._paused = pause
            if pause:
                self._link.pause_reading()
            else:
                self._link.resume_reading()
