"""`state-machine`: the broker's life, to look at, to wait for, and to push on (today's topics)."""

from errno import EINVAL, ENOENT
from typing import Any, ClassVar

from flux.broker.life import Life
from flux.overlay.lifecycle import EVENTS, State
from flux.service import LATER, Call, Later, Service, request
from flux.wire.message import USER


class StateMachineService(Service):
    """Shows the state; streams its changes."""

    name: ClassVar[str] = "state-machine"

    async def start(self) -> None:
        """Begins to follow the state."""
        self._life: Life = self.host.port("life")
        self._watching: dict[Call, int] = {}
        self._waiting: list[Call] = []
        self._life.watch(self._changed)

    async def stop(self) -> None:
        """Follows it no more."""
        self._life.unwatch(self._changed)

    @request(allow=USER)
    def get(self, call: Call) -> dict[str, Any]:
        """The state's name and its duration in seconds."""
        return {"state": str(self._life.state), "duration": self._life.duration}

    @request(allow=USER)
    def wait(self, call: Call) -> Later | None:
        """Answers once the broker runs; ENOENT when that is past."""
        if self._life.state > State.RUN:
            raise OSError(ENOENT, "the broker is shutting down")
        if self._life.state == State.RUN:
            return None
        self._waiting.append(call)
        call.on_close = lambda: self._waiting.remove(call)
        return LATER

    @request(allow=USER)
    def monitor(self, call: Call, *, final: int = int(State.EXIT)) -> Any:
        """The state now and, for who takes a stream, every later one up to `final`."""
        state = self._life.state
        if not call.request.streaming:
            return {"state": int(state)}
        if state <= final:
            call.respond({"state": int(state)})
        if state >= final:
            call.end()
        self._watching[call] = final
        call.on_close = lambda: self._watching.pop(call)
        if call.closed:
            del self._watching[call]
        return LATER

    @request()
    def post(self, call: Call, *, event: str, error: bool = False) -> None:
        """Takes an event of the state table."""
        if event not in EVENTS:
            raise OSError(EINVAL, f"unknown state machine event '{event}'")
        self._life.post(event)

    def _changed(self, state: State) -> None:
        if state >= State.RUN:
            waiting, self._waiting = self._waiting, []
            for call in waiting:
                if state == State.RUN:
                    call.respond()
                else:
                    call.refuse(ENOENT, "the broker is shutting down")
        for call, final in list(self._watching.items()):
            call.respond({"state": int(state)})
            if state >= final:
                del self._watching[call]
                call.end()
