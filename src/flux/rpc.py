"""One request and its answers."""

from collections import deque
from os import strerror
from typing import TYPE_CHECKING, Any

from flux.wire.message import STREAMING, Response

if TYPE_CHECKING:
    from flux.core.handle import Flux


class RPC:
    """One request and its answers."""

    def __init__(self, handle: "Flux", topic: str, payload: Any, nodeid: int, flags: int) -> None:
        self.handle = handle
        self._answers: deque[Response] = deque()
        told = None if flags & 1 else self._answers.append
        request = handle.session.request(topic, payload, told, nodeid=nodeid, flags=STREAMING if flags & 2 else 0)
        handle.connection.send(request)

    def get(self) -> dict[str, Any]:
        """Waits for the answer."""
        while not self._answers:
            self.handle.wait()
        response = self._answers[0]
        if response.errnum:
            raise OSError(response.errnum, response.text() or strerror(response.errnum))
        return response.body()
