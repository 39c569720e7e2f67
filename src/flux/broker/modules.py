"""The modules of one broker: found by name, path or entry point, loaded, listed, removed."""

import traceback
from collections.abc import Sequence
from errno import EEXIST, EIO, ENOENT
from typing import Any

from flux.broker.broker import Broker
from flux.broker.catalogue import find
from flux.service.kit import LOG_ERR, Service
from flux.service.ports import Host


class Loaded:
    """One module that is loaded, or about to be."""

    def __init__(self, service: Service, path: str, at: float) -> None:
        self.service, self.path = service, path
        self.running = False
        self.heard, self.since = 0, at

    def idle(self, now: float) -> int:
        """Seconds since the last message, to the precision of how often somebody asks."""
        heard = sum(self.service.received)
        if heard != self.heard:
            self.heard, self.since = heard, now
        return int(now - self.since)


class ModuleTable:
    """Loads and removes modules; what fails to load is gone again, and named."""

    def __init__(self, host: Host, broker: Broker) -> None:
        self._host, self._broker = host, broker
        self._modules: dict[str, Loaded] = {}

    async def load(self, name: str, args: Sequence[str] = (), *, alias: str = "") -> Service:
        """Loads a module by built-in name, entry point, or path of a .py file. OSError says what is wrong with it."""
        found = find(name)
        return await self._start(found.service, found.path, args, alias)

    async def adopt(self, service: type[Service]) -> Service:
        """Loads a service that is part of the broker."""
        return await self._start(service, "builtin", (), "")

    async def remove(self, name: str) -> None:
        """Unloads a module. OSError(ENOENT) names one that is not loaded."""
        loaded = self._modules.pop(name, None)
        if loaded is None:
            raise OSError(ENOENT, f"{name}: no such module")
        for service_name in (loaded.service.name, *loaded.service.aliases):
            self._broker.unregister(service_name, loaded.service.id)
        try:
            await loaded.service.take_down()
        except Exception:
            self._host.log(LOG_ERR, name, traceback.format_exc().rstrip())
        finally:
            self._broker.drop_service(loaded.service)

    def unload(self, name: str) -> None:
        """As `remove`, later, for a module that asks for its own end."""
        self._broker.loop.create_task(self.remove(name))

    def list(self) -> list[dict[str, Any]]:
        """All modules, as module.list answers them (RFC 5)."""
        now = self._broker.loop.time()
        return [
            {
                "name": loaded.service.name,
                "path": loaded.path,
                "idle": loaded.idle(now),
                "status": 1 if loaded.running else 0,
                "services": list(loaded.service.aliases),
                "sendqueue": 0,
                "recvqueue": 0,
            }
            for loaded in self._modules.values()
            if loaded.path != "builtin"
        ]

    def status(self, name: str) -> int:
        """0 while a module is loading, 1 when it runs. OSError(ENOENT) if it is not there."""
        if name not in self._modules:
            raise OSError(ENOENT, f"{name}: no such module")
        return int(self._modules[name].running)

    async def _start(self, kind: type[Service], path: str, args: Sequence[str], alias: str) -> Service:
        name = alias or kind.name
        if name in self._modules:
            raise OSError(EEXIST, f"{name}: module is already loaded")
        service = await self._made(kind, args, name)
        loaded = self._modules[name] = Loaded(service, path, self._broker.loop.time())
        self._broker.host_service(service)
        taken: list[str] = []
        try:
            await service.bring_up()
            for service_name in (service.name, *service.aliases):
                self._broker.register(service_name, service.id)
                taken.append(service_name)
        except BaseException as error:
            for service_name in taken:
                self._broker.unregister(service_name, service.id)
            await self._undo(name, service)
            raise self._blame(name, error) from None
        loaded.running = True
        return service

    async def _made(self, kind: type[Service], args: Sequence[str], name: str) -> Service:
        try:
            return kind(self._host, args)
        except Exception as error:
            raise self._blame(name, error) from None

    async def _undo(self, name: str, service: Service) -> None:
        del self._modules[name]
        try:
            await service.take_down()
        except Exception:
            self._host.log(LOG_ERR, name, traceback.format_exc().rstrip())
        finally:
            self._broker.drop_service(service)

    def _blame(self, name: str, error: BaseException) -> BaseException:
        """A refusal passes as it is; a bug is one line for who asked, and a traceback in the log."""
        if not isinstance(error, Exception):
            return error
        if isinstance(error, OSError):
            return OSError(error.errno or EIO, f"{name}: {error.strerror or error}")
        self._host.log(LOG_ERR, name, traceback.format_exc().rstrip())
        return OSError(EIO, f"{name}: failed to load: {type(error).__name__}: {error}")
