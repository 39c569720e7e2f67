"""`module`: loads, removes and lists the modules of this broker (RFC 5)."""

from typing import Any, ClassVar

from flux.service import Call, Service, request
from flux.wire.message import USER


class Module(Service):
    """Serves the module table."""

    name: ClassVar[str] = "module"

    @request()
    async def load(self, call: Call, *, path: str, args: list[str] = [], name: str = "") -> None:  # noqa: B006
        """Loads a module by built-in name, entry point or path; answers when it runs, or says why it does not."""
        await self.host.port("modules").load(path, tuple(args), alias=name)

    @request()
    async def remove(self, call: Call, *, name: str) -> None:
        """Unloads a module; answers when it is gone."""
        await self.host.port("modules").remove(name)

    @request("list", allow=USER)
    def all(self, call: Call) -> dict[str, Any]:
        """The modules that are loaded."""
        return {"mods": self.host.port("modules").list()}

    @request(allow=USER)
    def status(self, call: Call, *, name: str) -> dict[str, int]:
        """0 while a module is loading, 1 when it runs."""
        return {"status": self.host.port("modules").status(name)}
