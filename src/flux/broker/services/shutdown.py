"""`shutdown`: ends the session in order, and tells who asked how it goes."""

from errno import EINVAL
from typing import ClassVar

from flux.broker.life import Life
from flux.overlay.lifecycle import State
from flux.service import LATER, Call, Later, Service, request
from flux.service.kit import LOG_INFO


class ShutdownService(Service):
    """Takes flux-shutdown(1)'s request."""

    name: ClassVar[str] = "shutdown"

    async def start(self) -> None:
        """Begins to follow the state."""
        self._life: Life = self.host.port("life")
        self._asking: dict[Call, int] = {}
        self._life.watch(self._changed)

    async def stop(self) -> None:
        """The session is all but gone: ends the streams."""
        for call in list(self._asking):
            call.end()
        self._life.unwatch(self._changed)

    @request("start")
    def begin(self, call: Call, *, loglevel: int = LOG_INFO) -> Later | None:
        """Shuts the session down; streams a line per step to who asked for level 6 (info) or more, then ENODATA.

        Who asks for no stream gets one answer, when it has begun.
        """
        if self.host.rank:
            raise OSError(EINVAL, "shutdown.start is for rank 0 alone")
        if self._life.state != State.RUN:
            raise OSError(EINVAL, f"shutdown cannot start in state {self._life.state}")
        if not call.request.streaming:
            self._life.post("shutdown")
            return None
        self._asking[call] = loglevel
        call.on_close = lambda: self._asking.pop(call)
        self._life.post("shutdown")
        return LATER

    def _changed(self, state: State) -> None:
        for call, level in list(self._asking.items()):
            if level >= LOG_INFO:
                call.respond({"log": f"broker.info[0]: state {state}"})
            if state > State.FINALIZE:
                call.end()  # while there is still a connection to the caller
