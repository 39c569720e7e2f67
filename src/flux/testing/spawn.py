"""Processes for tests: a watcher that remembers what it was told, and a spawn port that starts nothing."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from errno import ESRCH

from flux.runtime.spawn_port import AS_THE_BROKER, STDIO, Conditions, Process, Watcher


class Recorder:
    """A Watcher that keeps all it hears, and can be waited for."""

    def __init__(self) -> None:
        self.data: dict[str, bytes] = defaultdict(bytes)
        self.ends: list[str] = []
        self.taken: dict[str, int] = defaultdict(int)
        self.stops: list[int] = []
        self.statuses: list[int] = []
        self._changed = asyncio.Event()

    def output(self, process: Process, stream: str, data: bytes) -> None:
        """Adds to `data`, or to `ends`."""
        self.data[stream] += data
        if not data:
            self.ends.append(stream)
        self._changed.set()

    def drained(self, process: Process, stream: str, count: int) -> None:
        """Adds to `taken`."""
        self.taken[stream] += count
        self._changed.set()

    def stopped(self, process: Process, signum: int) -> None:
        """Adds to `stops`."""
        self.stops.append(signum)
        self._changed.set()

    def exited(self, process: Process, status: int) -> None:
        """Adds to `statuses`."""
        self.statuses.append(status)
        self._changed.set()

    async def change(self) -> None:
        """Waits for the next thing to be told."""
        self._changed.clear()
        await self._changed.wait()

    async def said(self, stream: str, data: bytes) -> None:
        """Waits until `data` has appeared in a stream."""
        while data not in self.data[stream]:
            await self.change()

    async def exit(self) -> int:
        """Waits for the wait status."""
        while not self.statuses:
            await self.change()
        return self.statuses[0]

    async def over(self, *streams: str) -> int:
        """Waits for the wait status and the ends of these streams (stdout and stderr unless said)."""
        while not self.statuses or not set(streams or ("stdout", "stderr")) <= set(self.ends):
            await self.change()
        return self.statuses[0]


class FakeProcess:
    """A Process that does what the test says, and remembers what was done to it."""

    def __init__(self, pid: int, argv: Sequence[str], watcher: Watcher, env: Mapping[str, str], cwd: str) -> None:
        self.pid = pid
        self.argv, self.env, self.cwd = list(argv), dict(env), cwd
        self.streams: tuple[str, ...] = STDIO
        self.channels: tuple[str, ...] = ()
        self.sockets: dict[str, int] = {}
        self.group = True
        self.conditions = AS_THE_BROKER
        self.said: dict[str, bytes] = defaultdict(bytes)
        self.written: dict[str, bytes] = defaultdict(bytes)
        self.closed: list[str] = []
        self.paused: set[str] = set()
        self.signals: list[int] = []
        self.ended = False
        self._watcher = watcher

    def write(self, stream: str, data: bytes) -> None:
        """Adds to `written`; `take` says when it was read."""
        self.written[stream] += data

    def close(self, stream: str) -> None:
        """Adds to `closed`."""
        self.closed.append(stream)

    def pause(self, stream: str) -> None:
        """Adds to `paused`."""
        self.paused.add(stream)

    def resume(self, stream: str) -> None:
        """Takes it from `paused` again."""
        self.paused.discard(stream)

    def kill(self, signum: int) -> None:
        """Adds to `signals`."""
        if self.ended:
            raise OSError(ESRCH, f"process {self.pid} has ended")
        self.signals.append(signum)

    def say(self, stream: str, data: bytes) -> None:
        """It writes, and adds to `said`; b"" ends the stream."""
        self.said[stream] += data
        self._watcher.output(self, stream, data)

    def take(self, stream: str, count: int) -> None:
        """It reads."""
        self._watcher.drained(self, stream, count)

    def halt(self, signum: int) -> None:
        """A signal stops it."""
        self._watcher.stopped(self, signum)

    def exit(self, status: int, *ends: str) -> None:
        """It ends, and so do these streams (stdout, stderr and the channels unless said)."""
        for stream in ends or (*self.streams[1:], *self.channels):
            self.say(stream, b"")
        self.ended = True
        self._watcher.exited(self, status)


class FakeSpawn:
    """A Spawn that starts FakeProcesses: `processes` are those it has, `refusal` is what it answers instead if set,
    `finished` what should be left of no process."""

    def __init__(self) -> None:
        self.processes: list[FakeProcess] = []
        self.refusal: OSError | None = None
        self.finished: list[dict[str, str]] = []
        self.ready = asyncio.Event()
        """Clear it, and starts wait until it is set again."""
        self.ready.set()
        self._started = asyncio.Event()

    async def __call__(
        self,
        argv: Sequence[str],
        watcher: Watcher,
        *,
        env: Mapping[str, str],
        cwd: str = "",
        streams: Sequence[str] = STDIO,
        channels: Sequence[str] = (),
        sockets: Mapping[str, int] = {},
        group: bool = True,
        conditions: Conditions = AS_THE_BROKER,
    ) -> FakeProcess:
        """Starts one."""
        await self.ready.wait()
        if self.refusal is not None:
            raise self.refusal
        process = FakeProcess(1000 + len(self.processes), argv, watcher, env, cwd)
        process.streams, process.channels, process.sockets = tuple(streams), tuple(channels), dict(sockets)
        process.group, process.conditions = group, conditions
        self.processes.append(process)
        self._started.set()
        return process

    def finish(self, marks: Mapping[str, str]) -> None:
        """Adds to `finished`."""
        self.finished.append(dict(marks))

    async def started(self, count: int = 1) -> FakeProcess:
        """Waits until so many have been started; the last of them."""
        while len(self.processes) < count:
            self._started.clear()
            await self._started.wait()
        return self.processes[count - 1]
