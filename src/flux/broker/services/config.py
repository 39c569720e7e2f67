"""`config`: the session's configuration (today's topics). Rank 0 has it from files, the others have it from rank 0.

A change goes out as an event. So a message that rank 0 sends after it finds every broker changed, and nobody needs a
stream to a parent, who may be another one tomorrow.
"""

import asyncio
from errno import EHOSTUNREACH, EINVAL, ENOSYS
from typing import Any, ClassVar

from flux.base.config import Config
from flux.broker.life import Life
from flux.broker.modules import ModuleTable
from flux.overlay.lifecycle import State
from flux.service import LATER, Call, Later, Service, event, request
from flux.service.configuration import Configuration
from flux.service.kit import LOG_ERR
from flux.wire.message import USER, Event

CHANGED = "config.changed"


class ConfigService(Service):
    """Shows the configuration, changes it on rank 0, follows it elsewhere."""

    name: ClassVar[str] = "config"

    async def start(self) -> None:
        """Waits for this broker to come to the state in which it gets the session's configuration."""
        self._box: Configuration = self.host.port("config")
        self._getters: list[Call] = []
        self._one_at_a_time = asyncio.Lock()
        self._heard = 0
        """Number of the last event that brought a configuration."""
        self._life: Life = self.host.port("life")
        self._life.watch(self._entered)

    async def stop(self) -> None:
        """Follows the state no more."""
        self._life.unwatch(self._entered)

    # -- topics -----------------------------------------------------------------------------------------------------

    @request(allow=USER)
    def get(self, call: Call) -> dict[str, Any] | Later:
        """The configuration; for who takes a stream, every later one as well."""
        if not call.request.streaming:
            return self._box.current.values
        call.respond(self._box.current.values)
        self._getters.append(call)
        call.on_close = lambda: self._getters.remove(call)
        return LATER

    @request()
    async def reload(self, call: Call) -> None:
        """Reads it anew. What is refused, by anybody, changes nothing."""
        self._check_rank()
        await self._change(self._box.read())

    @request()
    async def load(self, call: Call) -> None:
        """Replaces it by the payload."""
        self._check_rank()
        await self._change(Config(call.request.body()))

    # -- rank 0 -----------------------------------------------------------------------------------------------------

    def _check_rank(self) -> None:
        if self.host.rank:
            raise OSError(EINVAL, "configuration can only be changed on rank 0")

    async def _change(self, config: Config) -> None:
        async with self._one_at_a_time:
            if config == self._box.current:
                return
            config.check()
            await self._tell_all(config)
            self._take(config)
            self.publish(CHANGED, {"config": config.values})

    async def _tell_all(self, config: Config) -> None:
        """Has every service take it; if one refuses, those that did not get the old one back."""
        told: list[str] = []
        self._box.coming = config
        try:
            for name in self._names():
                told.append(name)
                await self._tell(name, config)
        except OSError:
            for name in told[:-1]:
                await self._tell(name, self._box.current)
            raise
        finally:
            self._box.coming = None

    # -- everywhere -------------------------------------------------------------------------------------------------

    def _take(self, config: Config) -> None:
        self._box.current = config
        for call in self._getters:
            call.respond(config.values)

    def _names(self) -> list[str]:
        modules: ModuleTable = self.host.port("modules")
        return [name for name in modules.everybody() if name != self.name]

    async def _tell(self, name: str, config: Config, how: str = "reload") -> None:
        try:
            await self.rpc(f"{name}.config-{how}", config.values, nodeid=self.host.rank)
        except OSError as error:
            if error.errno != ENOSYS:
                raise OSError(error.errno, f"error updating {name}: {error.strerror}") from None

    # -- other ranks ------------------------------------------------------------------------------------------------

    def _entered(self, state: State) -> None:
        if state != State.CONFIG_SYNC:
            return
        if self.host.rank:
            self.run(self._sync())
        else:
            self.host.after(0, lambda: self._post("sync-none"))

    def _post(self, event: str) -> None:
        self._life.post(event)

    async def _sync(self) -> None:
        """Gets the configuration from the parent, which has it already; from the next one if that is lost meanwhile."""
        while self._life.state == State.CONFIG_SYNC:
            try:
                await self._fetch(upstream=True, how="sync")
            except OSError as error:
                if error.errno != EHOSTUNREACH:
                    self.log(LOG_ERR, f"no configuration from the parent: {error.strerror}")
                    self._post("sync-fail")
            else:
                self._post("sync-success")

    async def _fetch(self, *, upstream: bool, how: str) -> None:
        """Asks for it. What an event has brought in the meantime is not older than the answer."""
        heard = self._heard
        config = Config(await self.rpc("config.get", {}, nodeid=0, upstream=upstream))
        if heard == self._heard and config != self._box.current:
            self._take(config)
            await self._spread(config, how)

    @event(CHANGED)
    def changed(self, event: Event) -> None:
        """Rank 0 has another configuration, and so have we."""
        self._heard = event.sequence
        config = Config(event.body()["config"])
        if self.host.rank and config != self._box.current:
            self._take(config)
            self.run(self._spread(config, "reload"))

    async def _spread(self, config: Config, how: str) -> None:
        """Tells our services. They cannot refuse what rank 0 has taken, only complain."""
        async with self._one_at_a_time:
            for name in self._names() if config is self._box.current else ():
                try:
                    await self._tell(name, config, how)
                except OSError as error:
                    self.log(LOG_ERR, error.strerror or str(error))

    def events_lost(self) -> None:
        """What has changed is not known: asks rank 0."""
        if self.host.rank and self._life.state > State.CONFIG_SYNC:
            self.run(self._fetch(upstream=False, how="reload"))
