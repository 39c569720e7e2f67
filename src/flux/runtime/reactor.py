"""A small event loop for programs that use callbacks: descriptors, timers, signals. Knows no messages."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from heapq import heappop, heappush
from select import poll
from time import monotonic
from typing import TYPE_CHECKING

from flux.runtime.wakeup import SIGINT, Wakeup, raises_interrupt

if TYPE_CHECKING:
    from flux.runtime.watch import FdWatch, SignalWatch, TimerWatch, Watch

NOWAIT, ONCE = 1, 2
"""Flags of `run`: one turn without waiting, one turn that waits."""


class Reactor:
    """Runs callbacks until it is stopped, or until nothing is left that could call one.

    What a callback raises comes out of `run`; everything else stays in place for the next `run`.
    """

    def __init__(self) -> None:
        self.active = 0
        """How many watches keep it running."""
        self.running = False
        self.prepare: dict[Watch, None] = {}
        self.check: dict[Watch, None] = {}
        self.idle: dict[Watch, None] = {}
        self.signals: dict[int, list[SignalWatch]] = {}
        self.wakeup = Wakeup()
        self._soon: deque[Callable[[], None]] = deque()
        self._fds: dict[int, list[FdWatch]] = {}
        self._poll = poll()
        self._timers: list[tuple[float, int, TimerWatch]] = []
        self._count = 0
        self._stopped = self._failed = self._interrupted = False

    # -- running ----------------------------------------------------------------------------------------------------

    def run(self, flags: int = 0) -> int:
        """Returns how many watches were active when it ended, or -1 after `stop_error`.

        Ctrl-C ends it with KeyboardInterrupt, unless the program handles SIGINT itself.
        """
        self._stopped = self._failed = self._interrupted = False
        if self.running:
            self._turns(flags)
        else:
            self._run(flags)
        failed, interrupted = self._failed, self._interrupted
        self._stopped = self._failed = self._interrupted = False
        if interrupted:
            raise KeyboardInterrupt
        return -1 if failed else self.active

    def stop(self) -> None:
        """Ends `run` after the callback that is running."""
        self._stopped = True

    def stop_error(self) -> None:
        """As `stop`, and `run` returns -1."""
        self._stopped = self._failed = True

    @property
    def stopping(self) -> bool:
        """Whether `run` is about to end: what is not done yet is left for the next one."""
        return self._stopped

    def soon(self, do: Callable[[], None]) -> None:
        """Has something called in this turn or the next, once."""
        self._soon.append(do)

    def _run(self, flags: int) -> None:
        catches_interrupt = raises_interrupt()
        if catches_interrupt:
            with suppress(OSError):  # not the main thread: it gets no signals
                self.wakeup.add(SIGINT)
            catches_interrupt = self.wakeup.interrupts = bool(self.wakeup)
        self.running = True
        if self.wakeup:
            self.open_wakeup()
        try:
            self._turns(flags)
        finally:
            self.running = False
            if self.wakeup.fd >= 0:
                self._poll.unregister(self.wakeup.fd)
                self.wakeup.close()
            if catches_interrupt:
                self.wakeup.interrupts = False
                self.wakeup.remove(SIGINT)

    def _turns(self, flags: int) -> None:
        while not self._stopped and (self.active or self._soon):
            self._turn(wait=not flags & NOWAIT)
            if flags:
                break

    def _turn(self, wait: bool) -> None:
        _call_all(self.prepare)
        if self._stopped:
            return
        events = self._poll.poll(self._timeout() if wait else 0)
        _call_all(self.check)
        if not self._deliver(events) | self._ring() | self._call_soon():
            _call_all(self.idle)

    def _timeout(self) -> float | None:
        """Milliseconds to wait; None for ever."""
        if self._soon or self.idle or self.wakeup.caught:
            return 0
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - monotonic()) * 1000

    def _deliver(self, events: list[tuple[int, int]]) -> bool:
        for fd, happened in events:
            if fd == self.wakeup.fd:
                self.wakeup.drain()
            for watch in self._fds.get(fd, ())[:]:
                if not self._stopped and watch.started:
                    watch.happened(happened)
        while self.wakeup.caught and not self._stopped:
            self._signalled(self.wakeup.caught.popleft())
        return bool(events)

    def _signalled(self, signum: int) -> None:
        watches = self.signals.get(signum, ())[:]
        for watch in watches:
            watch.call()
        if signum == SIGINT and not watches:
            self._stopped = self._interrupted = True

    def _ring(self) -> bool:
        """Calls the timers that are due; one that is set in here waits for the next turn."""
        now, last, rang = monotonic(), self._count, False
        while self._timers and self._timers[0][0] <= now and self._timers[0][1] <= last and not self._stopped:
            when, number, watch = heappop(self._timers)
            if watch.number == number:
                rang = True
                watch.rings(when, now)
        return rang

    def _call_soon(self) -> bool:
        count = len(self._soon)
        for _ in range(count):
            if self._stopped:
                break
            self._soon.popleft()()
        return count > 0

    # -- for watches ------------------------------------------------------------------------------------------------

    def watch_fd(self, watch: "FdWatch") -> None:
        """Starts to wait for what `watch` waits for."""
        self._fds.setdefault(watch.fd, []).append(watch)
        self._register(watch.fd)

    def unwatch_fd(self, watch: "FdWatch") -> None:
        """Ends that. The descriptor may be closed already."""
        self._fds[watch.fd].remove(watch)
        self._register(watch.fd)

    def set_timer(self, when: float, watch: "TimerWatch") -> int:
        """Has `watch` ring; returns the number that makes this setting valid."""
        self._count += 1
        heappush(self._timers, (when, self._count, watch))
        return self._count

    def open_wakeup(self) -> None:
        """Lets signals end the wait, for as long as `run` runs."""
        if self.running and self.wakeup.fd < 0:
            self.wakeup.open()
            self._poll.register(self.wakeup.fd, 1)

    def _register(self, fd: int) -> None:
        watches = self._fds[fd]
        if watches:
            events = 0
            for watch in watches:
                events |= watch.mask
            self._poll.register(fd, events)
        else:
            del self._fds[fd]
            self._poll.unregister(fd)


def _call_all(watches: "dict[Watch, None]") -> None:
    for watch in list(watches):
        if watch.started:
            watch.call()
