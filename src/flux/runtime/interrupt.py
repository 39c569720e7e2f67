"""Ctrl-C that does not lose messages: it ends a wait at once, and what is half done is finished first."""

from types import FrameType
from typing import Any

from flux.runtime.wakeup import SIGINT, handle_signal, raises_interrupt


class Shield:
    """Puts KeyboardInterrupt off from entry to exit, except while `waiting` is set.

    Steps aside where the program handles SIGINT itself, in other threads, and when it is entered again.
    """

    __slots__ = ("_arrived", "_before", "_entered", "waiting")

    def __init__(self) -> None:
        self.waiting = False
        self._arrived = False
        self._entered = False
        self._before: Any = None

    def __enter__(self) -> None:
        if raises_interrupt():
            self._arrived = False
            try:
                self._before = handle_signal(SIGINT, self._signal)
            except ValueError:  # not the main thread, which alone gets signals
                return
            self._entered = True

    def __exit__(self, *_: object) -> None:
        if self._entered:
            self._entered = False
            handle_signal(SIGINT, self._before)
            if self._arrived:
                raise KeyboardInterrupt

    def _signal(self, signum: int, frame: FrameType | None) -> None:
        if self.waiting:
            self.waiting = False
            raise KeyboardInterrupt
        self._arrived = True
