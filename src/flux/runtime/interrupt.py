"""Ctrl-C that does not lose messages: it ends a wait at once, and what is half done is finished first."""

from types import FrameType
from typing import Any

from flux.runtime.wakeup import SIGINT, handle_signal, raises_interrupt, take_interrupt


class Shield:
    """Puts KeyboardInterrupt off from entry to exit, except between `wait` and `waited`.

    Steps aside where the program handles SIGINT itself, in other threads, and when it is entered again.
    """

    __slots__ = ("_arrived", "_before", "_entered", "_waiting")

    def __init__(self) -> None:
        self._arrived = self._entered = self._waiting = False
        self._before: Any = None

    def __enter__(self) -> None:
        if raises_interrupt():
            self._arrived = take_interrupt()
            try:
                self._before = handle_signal(SIGINT, self._signal)
            except ValueError:  # not the main thread, which alone gets signals
                return
            self._entered = True

    def __exit__(self, *_: object) -> None:
        if self._entered:
            self._entered = False
            handle_signal(SIGINT, self._before)
            self._raise_if_arrived()

    def wait(self) -> None:
        """From here on nothing can be lost: raises KeyboardInterrupt when it comes, or if it has come."""
        self._waiting = True
        self._raise_if_arrived()

    def waited(self) -> None:
        """Ends that."""
        self._waiting = False

    def _signal(self, signum: int, frame: FrameType | None) -> None:
        self._arrived = True
        if self._waiting:
            self._raise_if_arrived()

    def _raise_if_arrived(self) -> None:
        if self._arrived:
            self._arrived = self._waiting = False
            raise KeyboardInterrupt
