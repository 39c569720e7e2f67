"""Signals as something to wait for: which ones came, and a descriptor that is readable once one did."""

import os
from collections import deque
from errno import EINVAL
from importlib import import_module
from types import FrameType
from typing import Any

# The C functions below the module `signal`, whose wrappers look for enums at ten times the cost.
_signal = import_module("_signal")
SIGINT: int = _signal.SIGINT
SIGNALS = range(1, _signal.NSIG)
default_handler = _signal.default_int_handler


def raises_interrupt() -> bool:
    """Whether Ctrl-C raises KeyboardInterrupt, as it does unless the program has seen to it otherwise."""
    handler = _signal.getsignal(SIGINT)
    return handler is default_handler or bool(_catcher(handler))


def take_interrupt() -> bool:
    """Whether Ctrl-C was pressed and its KeyboardInterrupt is still to be raised by a reactor; then it no longer is."""
    wakeup = _catcher(_signal.getsignal(SIGINT))
    if wakeup is None or SIGINT not in wakeup.caught:
        return False
    wakeup.caught.remove(SIGINT)
    return True


def _catcher(handler: Any) -> "Wakeup | None":
    """Who catches SIGINT only to raise KeyboardInterrupt at the right moment."""
    wakeup = getattr(handler, "__self__", None)
    return wakeup if isinstance(wakeup, Wakeup) and wakeup.interrupts else None


def handle_signal(signum: int, handler: Any) -> Any:
    """Sets a signal's handler and returns the one before. ValueError in any thread but the main one."""
    return _signal.signal(signum, handler)


class Wakeup:
    """The signals that one reactor listens to."""

    def __init__(self) -> None:
        self.caught: deque[int] = deque()
        self.interrupts = False
        """Whether SIGINT is caught only to end a reactor's run with KeyboardInterrupt."""
        self.fd = -1
        """Readable when a signal came; -1 while it is closed."""
        self._writer = -1
        self._outer = -1
        self._before: dict[int, tuple[int, Any]] = {}

    def __bool__(self) -> bool:
        return bool(self._before)

    def add(self, signum: int) -> None:
        """Catches a signal. OSError(EINVAL) if there is no such signal, or if this is not the main thread."""
        count, before = self._before.get(signum, (0, None))
        if count == 0:
            try:
                before = handle_signal(signum, self._catch)
            except (ValueError, OSError) as error:
                raise OSError(EINVAL, f"signal {signum} cannot be caught: {error}") from None
        self._before[signum] = count + 1, before

    def remove(self, signum: int) -> None:
        """Leaves the signal to who had it before."""
        count, before = self._before.pop(signum)
        if count > 1:
            self._before[signum] = count - 1, before
        elif before is not None:
            handle_signal(signum, before)

    def open(self) -> None:
        """Makes `fd`, unless it is there. While it is open, no other loop of this process is woken by signals."""
        if self.fd < 0:
            self.fd, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
            self._outer = _signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)

    def drain(self) -> None:
        """Reads what made `fd` readable."""
        os.read(self.fd, 4096)

    def close(self) -> None:
        """Ends what `open` began."""
        if self.fd >= 0:
            _signal.set_wakeup_fd(self._outer)
            os.close(self.fd)
            os.close(self._writer)
            self.fd = self._writer = -1

    def _catch(self, signum: int, frame: FrameType | None) -> None:
        self.caught.append(signum)


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    return reader, writer
