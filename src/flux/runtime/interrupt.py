"""Ctrl-C that does not lose messages: it ends a wait at once, and what is half done is finished first."""

from importlib import import_module
from types import FrameType

# The C functions below the module `signal`, whose wrappers look for enums at ten times the cost.
_signal = import_module("_signal")
_set, _get, SIGINT, default = _signal.signal, _signal.getsignal, _signal.SIGINT, _signal.default_int_handler


class Shield:
    """Puts KeyboardInterrupt off from entry to exit, except while `waiting` is set.

    Steps aside where the program handles SIGINT itself, in other threads, and when it is entered again.
    """

    __slots__ = ("_arrived", "_entered", "waiting")

    def __init__(self) -> None:
        self.waiting = False
        self._arrived = False
        self._entered = False

    def __enter__(self) -> None:
        if _get(SIGINT) is default:
            self._arrived = False
            try:
                _set(SIGINT, self._signal)
            except ValueError:  # not the main thread, which alone gets signals
                return
            self._entered = True

    def __exit__(self, *_: object) -> None:
        if self._entered:
            self._entered = False
            _set(SIGINT, default)
            if self._arrived:
                raise KeyboardInterrupt

    def _signal(self, signum: int, frame: FrameType | None) -> None:
        if self.waiting:
            self.waiting = False
            raise KeyboardInterrupt
        self._arrived = True
