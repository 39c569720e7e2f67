"""`module`: loads, removes and lists the modules of this broker (RFC 5)."""

from errno import EINVAL
from typing import Any, ClassVar

from flux.service import Call, Service, event, request
from flux.wire.message import USER, Event


class Module(Service):
    """Serves the module table, the port `modules`."""

    name: ClassVar[str] = "module"

    async def start(self) -> None:
        """Finds the table."""
        self._table: Any = self.host.port("modules")

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

    @event("heartbeat.pulse")
    def pulse(self, event: Event) -> None:
        """How long a module has been idle is measured in heartbeats."""
        self._table.sample()
