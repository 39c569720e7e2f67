"""How a service writes to the key-value store: what comes in one turn of the loop goes together."""

import asyncio

from flux.base.kvswrites import Told, Writes
from flux.service.levels import LOG_ERR
from flux.service.server import Server
from flux.wire.message import Response

LAZY = 1 << 16
"""Flag of a commit (ours): nobody waits for it, so that it may wait a moment for others."""


class KvsWriter:
    """`writes` takes what is to be written; it goes when somebody calls `soon`, or `hurry` if somebody waits for it."""

    def __init__(self, service: Server) -> None:
        self._service = service
        self.writes = Writes()
        self._woken = self._hurried = False
        self._under_way = 0
        self._idle = asyncio.Event()

    def soon(self, *, hurry: bool = False) -> None:
        """What is to be written goes at the end of this turn."""
        self._hurried |= hurry
        if not self._woken:
            self._woken = True
            self._service.host.after(0, self.write)

    def write(self) -> None:
        """It goes now: before all that others are told after this."""
        flags = 0 if self._hurried else LAZY
        self._woken = self._hurried = False
        ops, told = self.writes.take()
        if not ops:
            self._tell(told, "")
            return

        def done(response: Response) -> None:
            self._under_way -= 1
            why = (response.text() or "error") if response.errnum else ""
            if why:
                self._service.log(LOG_ERR, f"could not be written: {why}")
            self._tell(told, why)
            if not self._under_way:
                self._idle.set()

        self._under_way += 1
        self._idle.clear()
        payload = {"ops": ops, "namespace": "primary", "flags": flags}
        self._service.send_request("kvs.commit", payload, done)

    async def end(self) -> None:
        """Writes what is left, and returns when all of it is there."""
        self._hurried = True
        self.write()
        if self._under_way:
            await self._idle.wait()

    def _tell(self, told: list[Told], why: str) -> None:
        for tell in told:
            self._service.guarded(tell, why)
