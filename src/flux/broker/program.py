"""The initial program: what rank 0 runs for the user, with the user's terminal, and whose end ends the session."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from math import inf

from flux.broker.attributes import AttributeTable
from flux.runtime.installation import command_directory
from flux.runtime.terminal import typed
from flux.service.ports import Process, Spawn

PRIVATE = (
    "FLUX_JOB_ID", "FLUX_JOB_ID_PATH", "FLUX_ENCLOSING_ID", "FLUX_JOB_SIZE", "FLUX_JOB_NNODES", "FLUX_JOB_TMPDIR",
    "FLUX_TASK_RANK", "FLUX_TASK_LOCAL_ID",
    "FLUX_KVS_NAMESPACE", "FLUX_PROXY_REMOTE", "FLUX_PMI_LIBRARY_PATH", "I_MPI_PMI_LIBRARY",
)  # fmt: skip
PRIVATE_PREFIXES = ("PMI_", "SLURM_", "PMIX_", "PALS_")
"""What told us how to start is not for those whom we start."""

LEVEL = "FLUX_INSTANCE_LEVEL"
"""How a session that is started in this one, but not as a job of it, knows how many are around it."""

ENDING = (signal.SIGTERM, signal.SIGHUP)
AT_ONCE = 1.0
"""Seconds in which two of them are one, which came to our process group and by `flux start`."""
KILL_AFTER = 5.0
"""Seconds that a program has to end when the session does, before it is killed."""


class InitialProgram:
    """Runs a command, or an interactive shell, and tells how it ended."""

    def __init__(self, command: tuple[str, ...], attributes: AttributeTable, spawn: Spawn) -> None:
        self._command, self._attributes, self._spawn = command, attributes, spawn
        self._process: Process | None = None
        self._starting = False
        self._asked = inf
        """When it was first asked to end."""
        self._early: list[int] = []
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self) -> int:
        """Runs it; returns its exit code, 128 + the signal that ended it, 127 if there is no such command."""
        if self.absent or self._ended.done():
            return await self._ended
        attributes = self._attributes
        env = environment(os.environ, attributes.get("local-uri"), attributes.lookup("jobid", ""))
        env[LEVEL] = attributes.lookup("instance-level", "0")
        argv = command_line(self._command, env)
        self._starting = True
        try:
            self._process = await self._spawn(argv, self, env=env, streams=(), group=False)
        except OSError as error:
            print(f"flux-broker: {error.strerror}", file=sys.stderr)
            return 126 if isinstance(error, PermissionError) else 127
        finally:
            self._starting = False
        for signum in self._early:
            self._kill(signum)
        return await self._ended

    @property
    def absent(self) -> bool:
        """Whether the session is to run without one, until it is shut down (attribute broker.rc2_none)."""
        return not self._command and self._attributes.lookup("broker.rc2_none", "0") in ("1", "true")

    @property
    def interactive(self) -> bool:
        """Whether it is a shell that somebody types into: it deals with the terminal's signals itself."""
        return not self._command

    def signal(self, signum: int) -> bool:
        """Passes a signal on to it, once it runs; False if there is no program."""
        if signum in ENDING:
            signum = self._ending(signum)
        if self._process is not None:
            if not typed(signum):  # else it has it from the terminal, as everybody in our process group
                self._kill(signum)
        elif not self.absent:
            self._early.append(signum)  # it may run already: we just have not heard so
        return not self.absent

    def stop(self) -> None:
        """Ends it with the session, in KILL_AFTER seconds at most."""
        if self._process is None and not self._starting:
            if not self._ended.done():
                self._ended.set_result(0)
        elif not self._ended.done():
            self._asked = inf
            self.signal(signal.SIGTERM)
            asyncio.get_running_loop().call_later(KILL_AFTER, self.signal, signal.SIGKILL)

    def _ending(self, signum: int) -> int:
        """What it gets: SIGKILL if it was asked before; a shell SIGHUP for SIGTERM, which it ignores."""
        now = asyncio.get_running_loop().time()
        self._asked = min(self._asked, now)
        if now - self._asked > AT_ONCE:
            return signal.SIGKILL
        return signal.SIGHUP if self.interactive and signum == signal.SIGTERM else signum

    def _kill(self, signum: int) -> None:
        if self._process is not None:
            with suppress(OSError):
                self._process.kill(signum)

    # -- what the keeper tells --------------------------------------------------------------------------------------

    def output(self, process: Process, stream: str, data: bytes) -> None:
        """It writes where we write: nothing comes here."""

    def drained(self, process: Process, stream: str, count: int) -> None:
        """It reads where we read."""

    def stopped(self, process: Process, signum: int) -> None:
        """It was stopped; whoever did that will go on with it."""

    def exited(self, process: Process, status: int) -> None:
        """It ended."""
        self._process = None
        if not self._ended.done():
            self._ended.set_result(
                os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
            )


def command_line(command: tuple[str, ...], env: Mapping[str, str]) -> list[str]:
    """What to execute: one word is a shell's command, several a command with arguments, none the shell itself."""
    shell = env.get("SHELL") or "/bin/sh"
    if len(command) == 1:
        return [shell, "-c", command[0]]
    return list(command) or [shell]


def environment(own: Mapping[str, str], uri: str, jobid: str = "") -> dict[str, str]:
    """The environment of the initial program: this session's URI, and this session's `flux` first in PATH.

    `jobid` is the session's own, if it is a job of another one.
    """
    env = {name: value for name, value in own.items() if name not in PRIVATE and not name.startswith(PRIVATE_PREFIXES)}
    env["FLUX_URI"] = uri
    if jobid:
        env["FLUX_ENCLOSING_ID"] = jobid
    path = env.get("PATH", "/usr/local/bin:/usr/bin:/bin")
    where = command_directory()
    if path.split(":")[0] != where:
        path = f"{where}:{path}"
    return env | {"PATH": path}
