"""Processes of a simulation: they talk, end by themselves after a while, or soon after they are signalled.

Their timers are in a context of their own: a process does not stop with its broker."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextvars import Context
from random import Random
from typing import Any

from flux.runtime.spawn_port import Watcher
from flux.testing.spawn import FakeProcess, FakeSpawn


class Restless(FakeSpawn):
    """Starts processes with lives of their own, of which the seed decides."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random

    async def __call__(
        self, argv: Sequence[str], watcher: Watcher, *, env: Mapping[str, str], **how: Any
    ) -> FakeProcess:
        """Starts one, after a moment."""
        await asyncio.sleep(self._random.uniform(0, 0.005))
        process = await super().__call__(argv, watcher, env=env, **how)
        loop = asyncio.get_running_loop()
        for _ in range(self._random.randrange(4)):
            loop.call_later(self._random.uniform(0, 0.1), _talk, process, context=Context())
        loop.call_later(self._random.uniform(0, 0.2), _end, process, 0, context=Context())
        process.kill = lambda signum: _signalled(process, signum)  # type: ignore[method-assign]
        return process


def _talk(process: FakeProcess) -> None:
    if not process.ended:
        process.say("stdout", b"line %d\n" % process.said["stdout"].count(b"\n"))


def _end(process: FakeProcess, status: int) -> None:
    if not process.ended:
        process.exit(status)


def _signalled(process: FakeProcess, signum: int) -> None:
    FakeProcess.kill(process, signum)
    if signum in (signal.SIGKILL, signal.SIGTERM):
        asyncio.get_running_loop().call_later(0.001, _end, process, signum, context=Context())
