"""A stream that is read in a reactor, as far as somebody takes it."""

from collections import deque
from collections.abc import Callable
from errno import ENODATA
from typing import TYPE_CHECKING

from flux.base.streamlog import Said
from flux.constants import FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.rpc import RPC
from flux.stream.reading import Reading

if TYPE_CHECKING:
    from flux.core.handle import Flux


class Source:
    """Tells of a stream as it is written. `told` takes what it can, and returns whether that was all; else `more`."""

    def __init__(
        self,
        flux_handle: "Flux",
        reading: Reading,
        told: Callable[[Said], bool],
        ended: Callable[[OSError | None], None],
    ) -> None:
        self._handle, self._reading, self._told, self._ended = flux_handle, reading, told, ended
        self._said: deque[Said] = deque()
        self._rpc = RPC(flux_handle, Reading.topic, reading.payload, flags=FLUX_RPC_STREAMING)
        self._rpc.then(self._answered)

    def more(self) -> None:
        """Goes on, when there is room."""
        if self._said:
            self._tell()

    def close(self) -> None:
        """Reads no more."""
        self._rpc.forget()
        self._rpc.cancel()

    def _answered(self, rpc: RPC) -> None:
        try:
            self._said.extend(self._reading.take(rpc.get()))
        except OSError as error:
            self._ended(None if error.errno == ENODATA else error)
            return
        self._tell()

    def _tell(self) -> None:
        while self._said:
            if not self._told(self._said[0]):
                return
            self._said.popleft()
        if self._reading.fold.ended:
            self.close()
            self._ended(None)
            return
        credit = self._reading.due()
        if credit:
            payload = {"matchtag": self._rpc.matchtag, "size": credit}
            RPC(self._handle, "kvs-watch.credit", payload, flags=FLUX_RPC_NORESPONSE)
        self._rpc.reset()
