"""The modules of one broker: found by name, path or entry point, loaded, listed, removed."""

import asyncio
import importlib
import os
import traceback
from collections.abc import Sequence
from enum import IntEnum
from errno import ECANCELED, EEXIST, EINVAL, EIO, ENOENT, EPERM
from typing import Any

from flux.broker.broker import Broker
from flux.broker.catalogue import Found, find, renamed
from flux.broker.runlevels import BUILTINS
from flux.service.kit import LOG_ERR, LOG_INFO, Service
from flux.service.ports import Host

MACHINERY = (os.path.dirname(__file__), os.path.dirname(importlib.__file__))
"""Whose lines say nothing about what is wrong with a module."""

RESIDENT = "builtin"
"""The path of a service that is part of the broker."""


class State(IntEnum):
    """Where a module is in its life, in RFC 5's numbers."""

    INIT = 0
    RUNNING = 1
    FINALIZING = 2


class Loaded:
    """One module that is loaded, or about to be, or about to be gone."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path
        self.state = State.INIT
        self.service: Service | None = None
        self.starting: asyncio.Task[Service] | None = None
        self.ending: asyncio.Task[None] | None = None
        self.heard, self.since = 0, 0.0

    def sample(self, now: float) -> None:
        """Notes whether messages have come since the last time."""
        heard = sum(self.service.received) if self.service else 0
        if heard != self.heard:
            self.heard, self.since = heard, now

    def describe(self, now: float) -> dict[str, Any]:
        """As module.list answers it (RFC 5)."""
        self.sample(now)
        return {
            "name": self.name,
            "path": self.path,
            "idle": int(now - self.since),
            "status": int(self.state),
            "services": list(self.service.aliases) if self.service else [],
            "sendqueue": 0,
            "recvqueue": 0,
        }


class ModuleTable:
    """Loads and removes modules; what fails to load is gone again, and named."""

    def __init__(self, host: Host, broker: Broker) -> None:
        self._host, self._broker = host, broker
        self._modules: dict[str, Loaded] = {}

    async def load(self, name: str, args: Sequence[str] = (), *, alias: str = "") -> Service:
        """Loads a module by built-in name, entry point, or path of a .py file. OSError says what is wrong with it."""
        found = self._found(name)
        kind = renamed(found.service, alias) if alias else found.service
        return await self._load(kind, found.path, args)

    async def adopt(self, service: type[Service]) -> Service:
        """Loads a service that is part of the broker."""
        return await self._load(service, RESIDENT, ())

    async def remove(self, name: str, why: str = "") -> None:
        """Unloads a module by its name, or the path it is from; also one that is still loading. OSError(ENOENT).

        `why` is for those whom it owes an answer.
        """
        loaded = self._lookup(name)
        if loaded.ending is None:
            loaded.ending = self._broker.loop.create_task(self._end(loaded, why))
        await asyncio.shield(loaded.ending)

    async def dismiss(self, name: str) -> None:
        """As `remove`, for whoever asks: what the session cannot do without is refused (EPERM)."""
        self._check_dispensable(name)
        await self.remove(name)

    def unload(self, name: str) -> None:
        """As `dismiss`, soon, for a module that is told to end itself."""
        self._check_dispensable(name)
        loaded = self._lookup(name)
        if loaded.ending is None:
            loaded.ending = self._broker.loop.create_task(self._end(loaded))

    def names(self) -> list[str]:
        """What is loaded, in the order it was, besides what is part of the broker."""
        return [name for name, loaded in self._modules.items() if loaded.path != RESIDENT]

    def dispensable(self) -> list[tuple[str, str]]:
        """Name and path of what somebody may remove, in the order it was loaded."""
        return [(name, self._modules[name].path) for name in self.names() if name not in BUILTINS]

    def everybody(self) -> Sequence[str]:
        """What is loaded, with what is part of the broker."""
        return tuple(self._modules)

    def list(self) -> list[dict[str, Any]]:
        """All modules, as module.list answers them."""
        now = self._broker.loop.time()
        return [self._modules[name].describe(now) for name in self.names()]

    def status(self, name: str) -> int:
        """The state of a module. OSError(ENOENT) if it is not there."""
        return int(self._lookup(name).state)

    def sample(self) -> None:
        """To be called now and then: how long modules have been idle is known that precisely."""
        now = self._broker.loop.time()
        for loaded in self._modules.values():
            loaded.sample(now)

    # -- loading ----------------------------------------------------------------------------------------------------

    async def _load(self, kind: type[Service], path: str, args: Sequence[str]) -> Service:
        """Goes on with it even if whoever asked has left: half a module is worse than none, or one too many."""
        if kind.name in self._modules:
            raise OSError(EEXIST, f"{kind.name}: module is already loaded")
        loaded = self._modules[kind.name] = Loaded(kind.name, path)
        loaded.since = self._broker.loop.time()
        starting = loaded.starting = self._broker.loop.create_task(self._start(loaded, kind, args))
        starting.add_done_callback(lambda _: setattr(loaded, "starting", None))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if starting.cancelled():
                raise OSError(ECANCELED, f"{kind.name}: was removed while it was loading") from None
            raise

    async def _start(self, loaded: Loaded, kind: type[Service], args: Sequence[str]) -> Service:
        try:
            service = loaded.service = kind(self._host, args)
            self._broker.host_service(service)
            await service.bring_up()
            for name in (service.name, *service.aliases):
                self._broker.register(name, service.id)
        except BaseException as error:
            await self._take_down(loaded)
            raise self._blamed(loaded.name, error, EIO) from None
        loaded.state = State.RUNNING
        return service

    def _found(self, name: str) -> Found:
        try:
            return find(name)
        except (Exception, SystemExit) as error:
            raise self._blamed(name, error, EINVAL) from None

    def _blamed(self, name: str, error: BaseException, errnum: int) -> BaseException:
        """A refusal stays one; a mistake is one line for who asked, and a traceback in the log."""
        if isinstance(error, OSError):
            reason = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
            return OSError(error.errno or errnum, reason if reason.startswith(name) else f"{name}: {reason}")
        if not isinstance(error, (Exception, SystemExit)):
            return error
        self._host.log(LOG_INFO, "module", traceback.format_exc().rstrip())  # the log has it, the terminal is spared
        return OSError(errnum, f"{name}: failed to load: {type(error).__name__}: {error}{_place(error)}")

    # -- unloading --------------------------------------------------------------------------------------------------

    async def _end(self, loaded: Loaded, why: str = "") -> None:
        if loaded.state is State.INIT and loaded.starting is not None:
            loaded.starting.cancel()
            await asyncio.wait([loaded.starting])
        if self._modules.get(loaded.name) is loaded:
            await self._take_down(loaded, why)

    async def _take_down(self, loaded: Loaded, why: str = "") -> None:
        loaded.state = State.FINALIZING
        service = loaded.service
        try:
            if service is not None:
                for name in (service.name, *service.aliases):
                    self._broker.unregister(name, service.id)
                await service.take_down(why)
        except Exception:
            self._host.log(LOG_ERR, loaded.name, traceback.format_exc().rstrip())
        finally:
            if service is not None:
                self._broker.drop_service(service)
            del self._modules[loaded.name]

    async def wind_down(self) -> None:
        """The session ends: tells all modules so, and waits until they have done what takes its time."""
        services = [loaded.service for loaded in self._modules.values() if loaded.service is not None]
        for service in services:
            try:
                await service.ending()
            except Exception:
                self._host.log(LOG_ERR, service.name, traceback.format_exc().rstrip())

    def _lookup(self, name: str) -> Loaded:
        for loaded in self._modules.values():
            if name in (loaded.name, loaded.path) and name != RESIDENT:
                return loaded
        raise OSError(ENOENT, f"{name}: No such file or directory")

    def _check_dispensable(self, name: str) -> None:
        loaded = self._lookup(name)
        if loaded.path == RESIDENT or loaded.name in BUILTINS:
            raise OSError(EPERM, f"{name}: is part of the broker")


def _place(error: BaseException) -> str:
    """The line of the module that raised it, as far as there is one. A SyntaxError names its own."""
    if isinstance(error, SyntaxError):
        return ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(("<", *MACHINERY)):
            return f" ({os.path.basename(frame.filename)}, line {frame.lineno})"
    return ""
