"""`module`: loads, removes and lists the modules of this broker (RFC 5)."""

from collections.abc import Callable
from errno import EINVAL
from typing import Any, ClassVar

from flux.modules.module.trace import Trace
from flux.service import LATER, Call, Later, Service, event, request
from flux.wire.match import ANY_TYPE
from flux.wire.message import USER, Event, Message


class Module(Service):
    """Serves the module table, the port `modules`."""

    name: ClassVar[str] = "module"

    async def start(self) -> None:
        """Finds the table."""
        self._table: Any = self.host.port("modules")
        self._taps: set[Callable[[], None]] = set()

    @request()
    async def load(
        self,
        call: Call,
        *,
        path: str,
        args: list[str] = [],  # noqa: B006 a new one for each request
        name: str | None = None,
        exec: bool = False,
    ) -> None:
        """Loads a module by built-in name, entry point or path; answers when it runs, or says why it does not."""
        if exec:
            raise OSError(EINVAL, f"{path}: modules run within the broker")
        if name == "":
            raise OSError(EINVAL, f"{path}: its name is empty")
        await self._table.load(path, tuple(args), alias=name or "")

    @request()
    async def remove(self, call: Call, *, name: str) -> None:
        """Unloads a module; answers when it is gone."""
        await self._table.dismiss(name)

    @request("list", allow=USER)
    def all(self, call: Call) -> dict[str, Any]:
        """The modules that are loaded."""
        return {"mods": self._table.list()}

    @request(allow=USER)
    def status(self, call: Call, *, name: str) -> dict[str, int]:
        """0 while a module is loading, 1 when it runs, 2 while it ends."""
        return {"status": self._table.status(name)}

    @request(stream=True)
    def trace(
        self,
        call: Call,
        *,
        names: list[str] = [],  # noqa: B006 a new one for each request
        typemask: int = ANY_TYPE,
        topic_glob: str = "*",
        full: bool = False,
    ) -> Later:
        """Streams a description of each message that these modules (all, without names) send or get."""
        trace = Trace(names, typemask, topic_glob, full)

        def heard(prefix: str, name: str, msg: Message) -> None:
            if trace.wants(name, msg):
                call.respond(trace.record(prefix, name, msg, self.host.wall()))

        tap = self.host.port("neighbours").module_tap
        tap.listen(heard)

        def leave() -> None:
            tap.leave(heard)
            self._taps.discard(leave)

        self._taps.add(leave)
        call.on_close = leave
        return LATER

    async def stop(self) -> None:
        """Listens no more."""
        for leave in list(self._taps):
            leave()

    @event("heartbeat.pulse")
    def pulse(self, event: Event) -> None:
        """How long a module has been idle is measured in heartbeats."""
        self._table.sample()
