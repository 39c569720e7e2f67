"""Results that come later: wait for one, or have a callback called when it is there."""

from collections import deque
from collections.abc import Callable, Iterable
from errno import EDEADLK, EEXIST, EINVAL, ENOENT, ETIMEDOUT
from os import strerror
from typing import TYPE_CHECKING, Any, Self

from flux.runtime.blocking import Deadline
from flux.runtime.reactor import Reactor
from flux.runtime.watch import TimerWatch

if TYPE_CHECKING:
    from flux.core.handle import Flux

__all__ = ["Future", "FutureExt", "WaitAllFuture"]


class Future:
    """Something that is fulfilled once, or again and again with a `reset` between.

    `Future(other)` is another future seen as a plain one: its `get` waits and returns nothing.
    """

    # Most futures never need these; an RPC is made faster without setting them.
    stopped = False
    _inner: "Future | None" = None
    _callback: Callable[[], Any] | None = None
    _followers: tuple[Callable[[], None], ...] = ()
    _reactor: Reactor | None = None
    _timer: TimerWatch | None = None
    _scheduled = False

    def __init__(self, future: "Future | None" = None, *, flux_handle: "Flux | None" = None) -> None:
        self._results: deque[Any] = deque()
        self.handle = flux_handle
        if future is not None:
            self._inner = future
            self._results = future._results
            self.handle = future.handle

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    # -- waiting ----------------------------------------------------------------------------------------------------

    def get(self) -> Any:
        """Waits until the future is fulfilled. Raises the OSError that it is fulfilled with."""
        self.wait_for()
        error = self.error()
        if error is not None:
            raise error

    def wait_for(self, timeout: float = -1.0) -> Self:
        """Waits at most `timeout` seconds, without an end if negative. OSError(ETIMEDOUT) when they are over."""
        if not self._results:
            self.wait(Deadline(timeout))
        return self

    def is_ready(self) -> bool:
        """Whether `get` would return at once."""
        return bool(self._results)

    def error(self) -> OSError | None:
        """The error that the future is fulfilled with."""
        if self._inner is not None:
            return self._inner.error()
        result = self._results[0] if self._results else None
        return OSError(result.errno, result.strerror) if isinstance(result, OSError) else None

    def error_string(self) -> str | None:
        """The text of that error, or None."""
        error = self.error()
        return error.strerror if error is not None else None

    def wait(self, deadline: Deadline) -> None:
        """Waits until there is a result. A plain future does not know who will fulfil it: there is none to wait for."""
        if self._inner is None:
            errnum = ETIMEDOUT if deadline.left() == 0 else EDEADLK
            raise OSError(errnum, strerror(errnum))
        self._inner.wait(deadline)

    # -- callbacks --------------------------------------------------------------------------------------------------

    def then(self, callback: Callable[..., Any], *args: Any, timeout: float = -1.0, **kwargs: Any) -> Self:
        """Has the reactor call `callback(future, *args, **kwargs)` for each result.

        If there is none after `timeout` seconds, the future is fulfilled with ETIMEDOUT.
        """
        if callback is None:
            raise ValueError("Callback cannot be None")
        if self._inner is not None:
            self._inner.then(lambda _: callback(self, *args, **kwargs), timeout=timeout)
            return self
        if self._callback is not None:
            raise OSError(EEXIST, "then callback already exists for this future")
        self._reactor = self.get_reactor()
        self._callback = lambda: callback(self, *args, **kwargs)
        if timeout >= 0:
            self._timer = TimerWatch(self._reactor, timeout, 0, self._time_out)
            self._timer.start()
        self.begin()
        if self._results:
            self._schedule()
        return self

    def follow(self, do: Callable[[], None]) -> None:
        """Calls something with each result, beside the callback and as soon as it is there."""
        self._followers += (do,)
        self.begin()

    def begin(self) -> None:
        """Called when somebody will be told of the result: the reactor has to run until then."""

    def stop(self) -> None:
        """Ends the calls of the callback, for streams."""
        self.stopped = True

    def reset(self) -> None:
        """Forgets the result, to make place for the next one."""
        if self._inner is not None:
            return self._inner.reset()
        if self._results:
            self._results.popleft()
        if self._timer is not None:
            self._timer.stop()
            self._timer.start()
        if self._results:
            self._schedule()

    # -- fulfilling -------------------------------------------------------------------------------------------------

    def fulfill(self, result: Any = None) -> None:
        """Makes `result` the result, or the next one if there is one already."""
        if self._inner is not None:
            return self._inner.fulfill(result)
        self._results.append(result)
        if self._callback is not None:
            self._schedule()
        for tell in self._followers:
            tell()

    def fulfill_error(self, errnum: int = ENOENT, errstr: str | None = None) -> None:
        """Makes an error the result."""
        self.fulfill(OSError(errnum, errstr or strerror(errnum)))

    # -- where it belongs -------------------------------------------------------------------------------------------

    def get_flux(self) -> "Flux | None":
        """The handle that this future belongs to, if any."""
        return self.handle

    def set_flux(self, flux_handle: "Flux") -> None:
        """Sets the handle that this future belongs to."""
        self.handle = flux_handle

    def get_reactor(self) -> Reactor:
        """The reactor that calls callbacks that are set now."""
        if self.handle is None:
            raise OSError(EINVAL, "the future has no handle")
        return self.handle.get_reactor()

    def incref(self) -> None:
        """Does nothing: Python counts references by itself."""

    # -- inside -----------------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        if self._reactor is not None and not self._scheduled:
            self._scheduled = True
            if self._timer is not None:
                self._timer.stop()
            self._reactor.soon(self._continue)

    def _continue(self) -> None:
        self._scheduled = False
        if self._callback is None or self.stopped or not self._results:
            return
        try:
            self._callback()
        except BaseException:
            self.stop()
            raise

    def _time_out(self) -> None:
        self.fulfill_error(ETIMEDOUT)


class WaitAllFuture(Future):
    """Fulfilled when all its children are; an error if one of them is."""

    def __init__(self, children: Iterable[Future] | None = None) -> None:
        super().__init__()
        self.children: list[Future] = []
        for child in children or ():
            self.push(child)

    def push(self, child: Future, name: str | None = None) -> None:
        """Adds a child."""
        if self.handle is None:
            self.handle = child.get_flux()
        self.children.append(child)

    def wait(self, deadline: Deadline) -> None:
        """Waits for all children."""
        for child in self.children:
            if not child.is_ready():
                child.wait(deadline)
        self._settle()

    def begin(self) -> None:
        """Has the children tell when they are ready."""
        for child in self.children:
            if not child.is_ready():
                child.follow(self._settle)
        self._settle()

    def is_ready(self) -> bool:
        """Whether all children are."""
        self._settle()
        return super().is_ready()

    def _settle(self) -> None:
        if not self._results and all(child.is_ready() for child in self.children):
            errors = [error for child in self.children if (error := child.error()) is not None]
            self.fulfill(errors[-1] if errors else None)


class FutureExt(Future):
    """A future that a program fulfils by itself, to put several steps behind one result."""

    def __init__(
        self, init_cb: Callable[..., Any], *args: Any, flux_handle: "Flux | None" = None, **kw_args: Any
    ) -> None:
        """`init_cb(future, ...)` is called when somebody first waits for the result; it begins what will fulfil it.

        It should use `future.get_flux()`, whose reactor is the right one, whether somebody waits or has set a callback.
        """
        super().__init__(flux_handle=flux_handle)
        self._init: Callable[[], Any] = lambda: init_cb(self, *args, **kw_args)
        self._now: Reactor | None = None

    def get(self) -> Any:
        """Waits, and returns what the future is fulfilled with."""
        super().get()
        return self._results[0]

    def begin(self) -> None:
        """Begins what will fulfil it, for the reactor that runs callbacks."""
        self._init()

    def wait(self, deadline: Deadline) -> None:
        """Begins what will fulfil it, for a reactor of its own, and runs that."""
        begun = self._now is not None
        reactor = self._now = self._now or Reactor()
        leave = self.handle.enter(reactor) if self.handle is not None else None
        left = deadline.left()
        timer = TimerWatch(reactor, left or 0, 0, reactor.stop)
        if left is not None:
            timer.start()
        try:
            if not begun:
                self._init()
            if not self._results:
                reactor.run()
        finally:
            timer.stop()
            if leave is not None:
                leave()
        if not self._results:
            super().wait(deadline)

    def fulfill(self, result: Any = None) -> None:
        """Makes `result`, whatever it is, the result."""
        super().fulfill(result)
        if self._now is not None:
            self._now.stop()
