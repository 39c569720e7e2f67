"""Watchers: callbacks for what happens to descriptors, timers, signals and the reactor itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from flux.runtime.watch import CheckWatch, FdWatch, IdleWatch, PrepareWatch, SignalWatch, TimerWatch, Watch

if TYPE_CHECKING:
    from flux.core.handle import Flux

__all__ = [
    "CheckWatcher",
    "FDWatcher",
    "IdleWatcher",
    "PrepareWatcher",
    "SignalWatcher",
    "TimerWatcher",
    "Watcher",
]

Callback = Callable[..., Any]


class Watcher:
    """What all watchers can do. As a context manager it is started, and stopped at the end."""

    def __init__(self, flux_handle: "Flux", watch: Watch) -> None:
        self.flux_handle = flux_handle
        self._watch = watch

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Begins to watch. A watcher that has started needs no other reference to stay alive."""
        self._watch.start()
        return self

    def stop(self) -> Self:
        """Ends it; `start` may follow."""
        self._watch.stop()
        return self

    def ref(self) -> Self:
        """Makes the reactor run as long as this watches. That is so from the beginning."""
        self._watch.count(True)
        return self

    def unref(self) -> Self:
        """Lets the reactor end although this watches."""
        self._watch.count(False)
        return self

    def is_active(self) -> bool:
        """Whether it has started."""
        return self._watch.started

    def destroy(self) -> None:
        """Ends it for good."""
        self.stop()


class TimerWatcher(Watcher):
    """Calls `callback(handle, watcher, revents, args)` `after` seconds from its start, then every `repeat` seconds."""

    _watch: TimerWatch

    def __init__(
        self, flux_handle: "Flux", after: float, callback: Callback, repeat: float = 0, args: Any = None
    ) -> None:
        self.after, self.repeat, self.callback, self.args = after, repeat, callback, args
        watch = TimerWatch(flux_handle.get_reactor(), float(after), float(repeat), self._rang)
        super().__init__(flux_handle, watch)

    def reset(self, after: float | None = None, repeat: float | None = None) -> None:
        """Starts it from now; without arguments with the times it was created with."""
        self._watch.set(float(self.after if after is None else after), float(self.repeat if repeat is None else repeat))
        self._watch.start()

    def _rang(self) -> None:
        self.callback(self.flux_handle, self, 0, self.args)


class FDWatcher(Watcher):
    """Calls `callback(handle, watcher, fd, revents, args)` when one of `events` is true of a descriptor."""

    def __init__(self, flux_handle: "Flux", fd_int: int, events: int, callback: Callback, args: Any = None) -> None:
        self.fd_int, self.events, self.callback, self.args = fd_int, events, callback, args
        super().__init__(flux_handle, FdWatch(flux_handle.get_reactor(), fd_int, events, self._happened))

    def _happened(self, revents: int) -> None:
        self.callback(self.flux_handle, self, self.fd_int, revents, self.args)


class SignalWatcher(Watcher):
    """Calls `callback(handle, watcher, signum, args)` when a signal comes. Only the main thread can have one."""

    def __init__(self, flux_handle: "Flux", signal_int: int, callback: Callback, args: Any = None) -> None:
        self.signal_int, self.callback, self.args = signal_int, callback, args
        super().__init__(flux_handle, SignalWatch(flux_handle.get_reactor(), signal_int, self._came))

    def _came(self) -> None:
        self.callback(self.flux_handle, self, self.signal_int, self.args)


class TurnWatcher(Watcher):
    """Calls `callback(handle, watcher, revents, args)` at one place in each turn of the reactor."""

    kind: type[Watch]

    def __init__(self, flux_handle: "Flux", callback: Callback | None = None, args: Any = None) -> None:
        self.callback, self.args = callback, args
        super().__init__(flux_handle, self.kind(flux_handle.get_reactor(), self._turns))

    def _turns(self) -> None:
        if self.callback is not None:
            self.callback(self.flux_handle, self, 0, self.args)


class PrepareWatcher(TurnWatcher):
    """Is called before the reactor waits."""

    kind = PrepareWatch


class CheckWatcher(TurnWatcher):
    """Is called after the reactor has waited, before anything else."""

    kind = CheckWatch


class IdleWatcher(TurnWatcher):
    """Keeps the reactor from waiting; a callback is called in turns in which nothing else happens."""

    kind = IdleWatch
