"""What a reactor watches: a descriptor, a timer, a signal, its own turns."""

from collections.abc import Callable
from errno import EINVAL
from select import POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT
from time import monotonic
from typing import Any

from flux.runtime.reactor import Reactor
from flux.runtime.wakeup import SIGINT, SIGNALS

READABLE, WRITABLE, FAILED = 1, 2, 4
"""What is true of a descriptor, as FLUX_POLLIN, FLUX_POLLOUT and FLUX_POLLERR have it."""


class Watch:
    """Calls something when something happens, from `start` to `stop`."""

    def __init__(self, reactor: Reactor, call: Callable[..., Any]) -> None:
        self.reactor = reactor
        self.call = call
        self.started = False
        self.counted = True
        """Whether it keeps the reactor running."""

    def start(self) -> None:
        """Begins to watch."""
        if not self.started:
            self.started = True
            self.reactor.active += self.counted
            self._start()

    def stop(self) -> None:
        """Ends it; `start` may follow."""
        if self.started:
            self.started = False
            self.reactor.active -= self.counted
            self._stop()

    def count(self, counted: bool) -> None:
        """Sets whether it keeps the reactor running."""
        if self.started:
            self.reactor.active += counted - self.counted
        self.counted = counted

    def _start(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError


class FdWatch(Watch):
    """A descriptor; `call` gets which of the asked-for things is true of it."""

    def __init__(self, reactor: Reactor, fd: int, events: int, call: Callable[[int], Any]) -> None:
        super().__init__(reactor, call)
        self.fd = fd
        self.mask = (POLLIN if events & READABLE else 0) | (POLLOUT if events & WRITABLE else 0)

    def happened(self, events: int) -> None:
        """Called by the reactor with what poll(2) says."""
        if events & POLLNVAL:  # closed by somebody: there is nothing left to wait for
            self.stop()
        gone = events & (POLLERR | POLLHUP)
        true = READABLE if self.mask & POLLIN and (gone or events & POLLIN) else 0
        true |= WRITABLE if self.mask & POLLOUT and (gone or events & POLLOUT) else 0
        true |= FAILED if events & (POLLERR | POLLNVAL) else 0
        if true:
            self.call(true)

    def _start(self) -> None:
        self.reactor.watch_fd(self)

    def _stop(self) -> None:
        self.reactor.unwatch_fd(self)


class TimerWatch(Watch):
    """A time, `after` seconds from its start, and then every `repeat` seconds unless that is 0."""

    def __init__(self, reactor: Reactor, after: float, repeat: float, call: Callable[[], Any]) -> None:
        super().__init__(reactor, call)
        self.number = 0
        self.set(after, repeat)

    def set(self, after: float, repeat: float) -> None:
        """Changes its times, from now on if it has started."""
        if after < 0 or repeat < 0:
            raise OSError(EINVAL, "a timer's time must not be negative")
        self.after, self.repeat = after, repeat
        if self.started:
            self._start()

    def rings(self, when: float, now: float) -> None:
        """Called by the reactor."""
        if self.repeat:
            self.number = self.reactor.set_timer(max(when + self.repeat, now), self)
        else:
            self.stop()
        self.call()

    def _start(self) -> None:
        self.number = self.reactor.set_timer(monotonic() + self.after, self)

    def _stop(self) -> None:
        self.number = 0


class SignalWatch(Watch):
    """A signal. While one watches it, nobody else of this process gets it."""

    def __init__(self, reactor: Reactor, signum: int, call: Callable[[], Any]) -> None:
        super().__init__(reactor, call)
        if signum not in SIGNALS:
            raise OSError(EINVAL, f"{signum} is not a signal")
        self.signum = signum

    def _start(self) -> None:
        try:
            self.reactor.wakeup.add(self.signum)
        except OSError:
            self.started = False
            self.reactor.active -= self.counted
            raise
        self.reactor.signals.setdefault(self.signum, []).append(self)
        if self.signum == SIGINT:
            self.reactor.wakeup.interrupts = False
        self.reactor.open_wakeup()

    def _stop(self) -> None:
        self.reactor.wakeup.remove(self.signum)
        self.reactor.signals[self.signum].remove(self)


class PrepareWatch(Watch):
    """Each turn of the reactor, before it waits."""

    def _start(self) -> None:
        self.reactor.prepare[self] = None

    def _stop(self) -> None:
        del self.reactor.prepare[self]


class CheckWatch(Watch):
    """Each turn of the reactor, after it has waited."""

    def _start(self) -> None:
        self.reactor.check[self] = None

    def _stop(self) -> None:
        del self.reactor.check[self]


class IdleWatch(Watch):
    """Each turn in which nothing else happens. While there is one, the reactor does not wait."""

    def _start(self) -> None:
        self.reactor.idle[self] = None

    def _stop(self) -> None:
        del self.reactor.idle[self]
