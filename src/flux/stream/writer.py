"""Writing a stream."""

from collections.abc import Sequence
from errno import ENODATA
from typing import TYPE_CHECKING, Any, Self

from flux.constants import FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.stream.sending import Sending

if TYPE_CHECKING:
    from flux.core.handle import Flux


class Writer:
    """Writes to the stream at `key`; a `with` block ends it. One that raises, or a program that dies, is told readers.

    `mode` is "x" for a stream that must not be there yet (FileExistsError), "w" to begin it anew, "a" to write to one
    that others write, or left open, and else to make it. `streams` are the names of its parts, `ranks` (an idset, a
    list) whose parts this writer has. A new stream ends when `writers` such writers have ended it, and nobody else has
    it open. OSError: EEXIST (also of a stream that has ended), EBUSY for "w", EISDIR, EINVAL for what is no stream.
    """

    def __init__(
        self,
        flux_handle: "Flux",
        key: str,
        mode: str = "x",
        *,
        namespace: str | None = None,
        streams: Sequence[str] = ("stdout",),
        ranks: Any = 0,
        writers: int = 1,
    ) -> None:
        self.closed = False
        self._handle = flux_handle
        self._sending = Sending(key, mode, namespace, streams, ranks, writers)
        self._rpc = flux_handle.rpc("stream.open", self._sending.opening, flags=FLUX_RPC_STREAMING)
        try:
            self._hear()
        except BaseException:
            self.closed = True
            raise

    def write(self, data: bytes, stream: str | None = None, rank: Any = None) -> None:
        """Writes to a part, the first one unless said otherwise. Waits while too much is on its way."""
        for io in self._sending.pieces(data, stream, rank):
            self._send(io)

    def end(self, stream: str | None = None, rank: Any = None) -> None:
        """Ends one part, for a stream of several."""
        for io in self._sending.ends(stream, rank):
            self._send(io)

    def close(self, end: bool = True) -> None:
        """Returns when all that was written is in the key-value store. Without `end` others may go on later."""
        if self.closed:
            return
        for io in self._sending.ends() if end else self._sending.flush():
            self._send(io)
        self._send(None)
        self.closed = True
        while self._hear():
            pass

    def abort(self) -> None:
        """Leaves it as a program does that dies: readers are told that something is missing."""
        if not self.closed:
            self.closed = True
            self._rpc.forget()
            self._rpc.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close() if kind is None else self.abort()

    def _send(self, io: dict[str, Any] | None) -> None:
        while self._rpc.is_ready() or not self._sending.fits(io):
            self._hear()
        message = self._sending.message(self._rpc.matchtag, io)
        self._handle.rpc("stream.write", message, flags=FLUX_RPC_NORESPONSE)

    def _hear(self) -> bool:
        """Takes an answer, which is waited for. Returns whether there may be more; OSError ends it."""
        try:
            answer = self._rpc.get()
        except OSError as error:
            if error.errno == ENODATA and self.closed:
                return False
            self.closed = True
            raise
        self._sending.credit(answer)
        self._rpc.reset()
        return True
