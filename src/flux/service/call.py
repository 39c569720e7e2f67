"""One request that is being served: who asked, how to answer, what happens when they hang up."""

from collections.abc import Callable
from errno import ECANCELED, EHOSTUNREACH, ENODATA

from flux.wire.message import STREAMING, Data, Message, Request, Response, end_of_stream, refuse


class Later:
    """The type of LATER."""


LATER = Later()
"""Returned by a method that keeps its Call and answers it itself."""


class Call:
    """A request and the way back. Answers after the last one, or after the caller left, are dropped."""

    __slots__ = ("_send", "closed", "forget", "on_close", "request")

    def __init__(self, request: Request, send: Callable[[Message], None]) -> None:
        self.request = request
        self.closed = not request.wants_answer
        self.on_close: Callable[[], object] | None = None
        """Called once when the caller is gone or cancels; not when the call was answered."""
        self.forget: Callable[[Call], None] | None = None
        """The kit's: called when there is nothing more to answer, if the call outlived its method."""
        self._send = send

    @property
    def sender(self) -> bytes:
        """The address of who asked, the same for all of its requests."""
        return self.request.sender

    @property
    def link(self) -> bytes:
        """The address that the request came from last: a child broker, or somebody on this one."""
        return self.request.route[0] if self.request.route else b""

    @property
    def key(self) -> tuple[bytes, int]:
        """What names this request among all (RFC 6: sender and matchtag)."""
        return self.request.sender, self.request.matchtag

    def respond(self, data: Data = None) -> None:
        """Gives one answer; the last one unless the caller asked for a stream."""
        if self.closed:
            return
        asked = self.request
        more = asked.flags & STREAMING
        # As wire.message.respond, but by position: this is done for every request there is.
        self._send(Response(asked.userid, asked.rolemask, more, asked.topic, data, 0, asked.matchtag, asked.route))
        if not more:
            self._finish()

    def refuse(self, errnum: int, text: str = "") -> None:
        """Gives an error, which is always the last answer. `text` is one short line."""
        if not self.closed:
            self._send(refuse(self.request, errnum, text))
            self._finish()

    def end(self) -> None:
        """Ends a stream in order (ENODATA)."""
        if not self.closed:
            self._send(end_of_stream(self.request))
            self._finish()

    def cancel(self) -> None:
        """The caller wants no more: tells the method, ends a stream with ENODATA, refuses the rest with ECANCELED."""
        if not self.closed:
            hook, self.on_close = self.on_close, None
            if hook is not None:
                hook()
            self.refuse(ENODATA if self.request.streaming else ECANCELED)

    def abandon(self) -> None:
        """The caller is gone: tells the method, answers nothing."""
        if not self.closed:
            hook, self.on_close = self.on_close, None
            self._finish()
            if hook is not None:
                hook()

    def lose(self) -> None:
        """The way back is broken, as far as we know: tells the method, and the caller if it can still be reached."""
        if not self.closed:
            hook, self.on_close = self.on_close, None
            self.refuse(EHOSTUNREACH)
            if hook is not None:
                hook()

    def _finish(self) -> None:
        self.closed = True
        if self.forget is not None:
            self.forget(self)
