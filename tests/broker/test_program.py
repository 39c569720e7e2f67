"""The initial program of rank 0, without a process."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any, cast

import pytest

from flux.broker.attributes import AttributeTable
from flux.broker.program import InitialProgram
from flux.service.ports import Spawn


class Started:
    """A process that ends by the first signal that it gets."""

    pid = 1

    def __init__(self, watcher: Any) -> None:
        self.watcher = watcher

    def kill(self, signum: int) -> None:
        """Ends."""
        self.watcher.exited(self, signum)


def run(meanwhile: Callable[[InitialProgram], object], *command: str) -> int:
    """Runs a program, and does something to it when it has been started but nobody has said so yet."""

    async def scenario() -> int:
        async def spawn(argv: Any, watcher: Any, **conditions: Any) -> Started:
            meanwhile(program)
            return Started(watcher)

        program = InitialProgram(command, AttributeTable({"local-uri": "local:///x"}), cast(Spawn, spawn))
        return await program.run()

    return asyncio.run(scenario())


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_while_it_starts_is_not_lost(signum: signal.Signals) -> None:
    assert run(lambda program: program.signal(signum), "true") == 128 + signum


def test_a_session_that_ends_while_it_starts_ends_it() -> None:
    assert run(lambda program: program.stop(), "true") == 128 + signal.SIGTERM
    assert run(lambda program: program.stop()) == 128 + signal.SIGHUP
