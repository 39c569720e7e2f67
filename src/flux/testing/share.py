"""Whose a callback of the loop is: all that one broker does can be stopped, as SIGSTOP does, and ended."""

import asyncio
from collections.abc import Callable
from contextvars import Context, ContextVar
from typing import Any


class Share:
    """One broker's share of an event loop. What is called in its `context`, and all that comes of it, is its own."""

    def __init__(self) -> None:
        self.context = Context()
        self.context.run(SHARE.set, self)
        self.stopped = False
        self.ended = False
        self._kept: list[asyncio.Handle] = []

    def do(self, what: Callable[..., Any], *args: Any) -> None:
        """Has something done by its owner: at once, unless that one is stopped."""
        if self.stopped:
            asyncio.get_running_loop().call_soon(what, *args, context=self.context)
        elif SHARE.get() is self:
            what(*args)
        else:
            self.context.copy().run(what, *args)

    def takes(self, handle: asyncio.Handle, *, timer: bool) -> bool:
        """Whether a callback is run now; what has ended hears no clock any more."""
        if self.stopped:
            self._kept.append(handle)
        return not self.stopped and not (self.ended and timer)

    def stop(self) -> None:
        """Nothing of its own is done until it goes on."""
        self.stopped = True

    def go_on(self) -> None:
        """All that should have been done meanwhile is done now, in order."""
        self.stopped = False
        kept, self._kept = self._kept, []
        for handle in kept:
            asyncio.get_running_loop().call_soon(_run, handle)

    def end(self) -> None:
        """It is dead: its timers are not heard any more, and what is left of it comes to rest."""
        self.ended = True
        self.go_on()


def _run(handle: asyncio.Handle) -> None:
    if not handle.cancelled():
        handle._run()


SHARE: ContextVar[Share | None] = ContextVar("share", default=None)
