"""The initial program of rank 0, without a process."""

import asyncio
import signal
from collections.abc import Callable
from typing import Any, cast

import pytest

from flux.broker.attributes import AttributeTable
from flux.broker.program import InitialProgram
from flux.service.ports import Spawn
from flux.testing.virtual import VirtualLoop


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


class Stubborn:
    """A process that only SIGKILL ends."""

    pid = 1

    def __init__(self, watcher: Any) -> None:
        self.watcher, self.signals = watcher, list[int]()

    def kill(self, signum: int) -> None:
        """Ends, or not."""
        self.signals.append(signum)
        if signum == signal.SIGKILL:
            self.watcher.exited(self, signum)


def told(when: list[tuple[float, int]], *command: str) -> list[int]:
    """What a stubborn process gets of signals that come at some times; it must have ended by then."""

    async def scenario() -> list[int]:
        started = list[Stubborn]()

        async def spawn(argv: Any, watcher: Any, **conditions: Any) -> Stubborn:
            started.append(Stubborn(watcher))
            return started[0]

        program = InitialProgram(command, AttributeTable({"local-uri": "local:///x"}), cast(Spawn, spawn))
        for at, signum in when:
            asyncio.get_running_loop().call_later(at, program.signal, signum)
        assert await program.run() == 128 + signal.SIGKILL
        return started[0].signals

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scenario())


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_program_that_ignores_the_request_to_end_is_killed_by_the_second(signum: signal.Signals) -> None:
    assert told([(1, signum), (3600, signum)], "true") == [signum, signal.SIGKILL]
    assert told([(1, signal.SIGTERM), (3600, signum)]) == [signal.SIGHUP, signal.SIGKILL]


def test_what_comes_twice_at_once_is_one_request() -> None:
    signals = [(1, signal.SIGTERM), (1.1, signal.SIGTERM), (1.2, signal.SIGHUP), (3, signal.SIGTERM)]
    assert told([*signals], "true") == [signal.SIGTERM, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]


def test_control_c_is_no_request_to_end() -> None:
    assert told([(1, signal.SIGINT), (9, signal.SIGINT), (10, signal.SIGKILL)], "true")[:2] == [signal.SIGINT] * 2
