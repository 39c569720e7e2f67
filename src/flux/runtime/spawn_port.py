"""What a process is to who starts it. The keeper stands behind it in a broker, a fake in a test or a simulation."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class Process(Protocol):
    """One process that runs on this broker's node, leader of its process group unless asked otherwise."""

    pid: int

    def write(self, stream: str, data: bytes) -> None: ...  # to stdin or a channel; never blocks, never fails
    def close(self, stream: str) -> None: ...  # end of input, after what is still to be written
    def pause(self, stream: str) -> None: ...  # read no more of its output for now
    def resume(self, stream: str) -> None: ...
    def kill(self, signum: int) -> None: ...  # the whole process group; OSError(ESRCH) once it is gone


class Watcher(Protocol):
    """Who is told what a process does. Called in the loop, never before `spawn` has returned the process."""

    def output(self, process: Process, stream: str, data: bytes) -> None: ...  # b"" is the end of the stream, told once
    def drained(self, process: Process, stream: str, count: int) -> None: ...  # bytes of input it has taken
    def stopped(self, process: Process, signum: int) -> None: ...  # by SIGSTOP and the like
    def exited(self, process: Process, status: int) -> None: ...  # wait status, told once; output may still follow


class Conditions(msgspec.Struct, frozen=True):
    """What a process is born with besides its environment. What is not said is as the broker was started with."""

    umask: int | None = None
    limits: dict[str, int] = {}
    """Soft limits by getrlimit(2) name in lower case (`nofile`); -1 is none. The hard limit caps them."""
    cpus: tuple[int, ...] = ()
    """Logical CPUs that it may use."""
    input: str = ""
    """The file that it reads, if it is not told what to read: then it has no stream `stdin`."""


AS_THE_BROKER = Conditions()
STDIO = ("stdin", "stdout", "stderr")


class Spawn(Protocol):
    """Starts a process; OSError says why not (ENOENT: no such command, or no such directory)."""

    async def __call__(
        self,
        argv: Sequence[str],
        watcher: Watcher,
        *,
        env: Mapping[str, str],
        cwd: str = "",
        streams: Sequence[str] = STDIO,  # which of them are the watcher's; the others are the broker's own
        channels: Sequence[str] = (),  # two-way streams; a variable of that name tells the process which descriptor
        sockets: Mapping[str, int] = {},  # descriptors to hand over, by variable, or by `stdin`, `stdout`, `stderr`
        group: bool = True,  # whether it leads a process group
        conditions: Conditions = AS_THE_BROKER,
    ) -> Process: ...

    def finish(self, marks: Mapping[str, str]) -> None: ...  # kill what is left of those who were given these variables
