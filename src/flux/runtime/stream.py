"""One peer on a byte stream: messages in, messages out. Knows the framing, not what a message means."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from flux.wire.framing import MAX_MESSAGE, Unpacker, pack
from flux.wire.message import BadMessage, Message

HIGH_WATER = 1 << 20
"""Bytes waiting to be sent at which a link is paused, unless it is told otherwise."""


class StreamLink(asyncio.Protocol):
    """A connection that carries messages.

    `receive(link, msg)` gets every message; `lost(link, reason)` is called once, when nothing will follow. What is sent
    in one turn of the loop leaves in one write, and answers given from within `receive` leave at once.
    """

    def __init__(
        self,
        receive: Callable[["StreamLink", Message], None],
        lost: Callable[["StreamLink", str], None],
        *,
        limit: int = MAX_MESSAGE,
        high_water: int = HIGH_WATER,
    ) -> None:
        self.paused = False
        """The peer reads too slowly: what is sent now waits in memory."""
        self.closed = False
        self.on_pause: Callable[[StreamLink], None] | None = None
        """Called when `paused` changes."""
        self._receive, self._lost = receive, lost
        self._unpacker = Unpacker(limit)
        self._high_water = high_water
        self._out: list[bytes] = []
        self._unflushed = 0
        self._receiving = False
        self._reason = ""
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    # -- for its owner ----------------------------------------------------------------------------------------------

    @property
    def socket(self) -> Any:
        """The socket below, to ask for the peer's credentials."""
        return self._transport.get_extra_info("socket") if self._transport else None

    @property
    def waiting(self) -> int:
        """Bytes that were sent but that the kernel has not taken yet."""
        below = self._transport.get_write_buffer_size() if self._transport else 0
        return below + self._unflushed

    def send(self, msg: Message) -> None:
        """Sends a message, after all that were sent before it; nothing once the link is closed."""
        self.write(pack(msg))

    def write(self, data: bytes) -> None:
        """Sends bytes that are not a message (the accept byte), or that are packed already."""
        if self.closed:
            return
        if not self._out and not self._receiving:
            self._loop.call_soon(self.flush)
        self._out.append(data)
        self._unflushed += len(data)

    def flush(self) -> None:
        """Hands what waits to the transport now instead of at the end of the turn."""
        if self._out and self._transport is not None:
            out, self._out, self._unflushed = self._out, [], 0
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))

    def close(self, reason: str = "closed") -> None:
        """Ends the connection after what was sent; nothing more is received."""
        if not self.closed:
            self.flush()
            self.closed = True
            self._reason = reason
            if self._transport is not None:
                self._transport.close()

    def abort(self, reason: str) -> None:
        """Ends the connection at once; what waits to be sent is dropped."""
        self._out.clear()
        self.close(reason)
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Reads no more from this peer for now; what was read already is still received."""
        if self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads again."""
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    # -- for the loop -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=self._high_water)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Called by the loop with the next bytes."""
        try:
            messages = self._unpacker.feed(data)
        except BadMessage as error:
            self.abort(str(error))
            return
        self._receiving = True
        try:
            for msg in messages:
                if self.closed:
                    break
                self._receive(self, msg)
        finally:
            self._receiving = False
            self.flush()

    def pause_writing(self) -> None:
        """Called by the loop: too much waits for the peer."""
        self._pause(True)

    def resume_writing(self) -> None:
        """Called by the loop: the peer has caught up."""
        self._pause(False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop: the connection is gone."""
        self.closed = True
        self._out.clear()
        self._lost(self, self._reason or _why(exc))

    def _pause(self, paused: bool) -> None:
        self.paused = paused
        if self.on_pause is not None:
            self.on_pause(self)


def _why(error: Exception | None) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) if error is not None else "connection closed by peer"
