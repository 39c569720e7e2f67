"""A request and its answers, as a future."""

from collections import deque
from contextlib import suppress
from errno import EINVAL, ETIMEDOUT
from os import strerror
from typing import TYPE_CHECKING, Any

from flux.constants import FLUX_NODEID_ANY, FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.future import Future
from flux.runtime.blocking import Deadline
from flux.wire.message import STREAMING, Data, Response
from flux.wire.payload import decode_payload, decode_text

if TYPE_CHECKING:
    from flux.core.dispatch import Dispatch
    from flux.core.handle import Flux

__all__ = ["RPC"]


class RPC(Future):
    """A request that was sent. Answers to a streaming one come one after the other: `get`, `reset`, `get`, ...

    An error answer is an OSError with its errno and text; a stream ends with ENODATA.
    """

    matchtag = 0
    _final = False
    _held: "Dispatch | None" = None

    def __init__(
        self, flux_handle: "Flux", topic: Any, payload: Any = None, nodeid: int = FLUX_NODEID_ANY, flags: int = 0
    ) -> None:
        self.handle: Flux = flux_handle
        self._results = deque()
        if flags & FLUX_RPC_NORESPONSE:
            flux_handle.request(topic, payload, None, nodeid)
            self._results.append(Response())
            return
        kind = STREAMING if flags & FLUX_RPC_STREAMING else 0
        self.request = flux_handle.request(topic, payload, self._answered, nodeid, kind)
        self.matchtag = self.request.matchtag

    # -- the answer -------------------------------------------------------------------------------------------------

    def get(self) -> Any:
        """Waits for the answer and returns its JSON payload, None if it has none."""
        return decode_payload(self.data())

    def get_str(self) -> str | None:
        """Waits for the answer and returns its payload as text, None if it has none."""
        return decode_text(self.data())

    def get_bytes(self) -> bytes:
        """Waits for the answer and returns its payload as it is, b"" if it has none."""
        data = self.data()
        return data if isinstance(data, bytes) else b""

    def data(self) -> Data:
        """Waits for the answer and returns what it carries."""
        while not self._results:
            self.handle.wait()
        result = self._results[0]
        if isinstance(result, OSError) or result.errnum:
            raise self.error() or result
        data: Data = result.data
        return data

    def error(self) -> OSError | None:
        """The error that came as the answer."""
        result = self._results[0] if self._results else None
        if isinstance(result, Response):
            return failure(result) if result.errnum else None
        return super().error()

    def wait(self, deadline: Deadline) -> None:
        """Waits for the answer."""
        while not self._results:
            left = deadline.left()
            self.handle.wait(left)
            if left == 0 and not self._results:
                raise OSError(ETIMEDOUT, strerror(ETIMEDOUT))

    def is_ready(self) -> bool:
        """Whether the answer is there."""
        if not self._results and not self.handle.get_reactor().running:
            with suppress(OSError):  # a lost connection is an answer, too
                self.handle.wait(0)
        return bool(self._results)

    # -- a stream ---------------------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Asks the service to end a stream in order; what it had sent still comes."""
        if not self.matchtag:
            raise OSError(EINVAL, "the request has no matchtag")
        self.handle.cancel(self.request)

    def forget(self) -> None:
        """Takes no more answers."""
        if not self._final:
            self.handle.session.forget(self.matchtag)
            self._end()

    # -- inside -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Has the reactor run until the last answer has come."""
        if not self._final and self._held is None:
            self._held = self.handle.dispatch
            self._held.hold()

    def _answered(self, response: Response) -> None:
        if response.final:
            self._end()
        self.fulfill(response)

    def _end(self) -> None:
        self._final = True
        if self._held is not None:
            self._held.release()
            self._held = None


def failure(response: Response) -> OSError:
    """The OSError that an error response carries."""
    return OSError(response.errnum, response.text() or strerror(response.errnum))
