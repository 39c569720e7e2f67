"""An event loop on virtual time: when nothing is ready the clock jumps to the next timer; without one it is Stuck."""

import asyncio
import selectors
from collections.abc import Mapping
from contextvars import Context
from heapq import heappush
from typing import Any

from flux.testing.share import SHARE


class Stuck(AssertionError):
    """Nothing is ready and no timer is left: what is awaited will never come."""


class _Jumper(selectors.BaseSelector):
    """A selector that waits for nothing: it lets the time pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("nothing is ready, and no timer is left")
        self.now += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        key = self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class _Handle(asyncio.Handle):
    """A callback that is run if whose it is runs."""

    __slots__ = ()
    _context: Context

    def _run(self) -> None:
        share = self._context.get(SHARE)
        if share is None or share.takes(self, timer=False):
            super()._run()


class _TimerHandle(asyncio.TimerHandle):
    """The same for one that had to wait."""

    __slots__ = ()
    _context: Context

    def _run(self) -> None:
        share = self._context.get(SHARE)
        if share is None or share.takes(self, timer=True):
            super()._run()


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, with the time of a `_Jumper`, and with callbacks that belong to somebody (`Share`)."""

    def __init__(self) -> None:
        self._jumper = _Jumper()
        super().__init__(self._jumper)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumper.now

    def _call_soon(self, callback: Any, args: Any, context: Context | None) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Runs a callback at that time, if whose it is runs then."""
        handle = _TimerHandle(when, callback, args, self, context)
        heappush(self._scheduled, handle)  # type: ignore[attr-defined]
        handle._scheduled = True  # type: ignore[attr-defined]
        return handle
