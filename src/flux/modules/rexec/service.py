"""The subprocess server (RFC 42): starts processes for clients, carries their streams, tells how they end."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from errno import EBUSY, EINVAL, EIO, ENOENT, ENOSPC, ENOSYS, EPERM
from functools import partial
from typing import Any

from flux.base import iodata
from flux.base.config import Config
from flux.modules.rexec.command import command
from flux.modules.rexec.proc import Answer, Proc
from flux.modules.rexec.table import Table
from flux.service import LATER, Call, Later, Service, request
from flux.service.kit import LOG_ERR, LOG_INFO
from flux.service.ports import Process
from flux.service.settings import allowed
from flux.wire.message import LOCAL

GRACE = 5.0
"""Seconds that processes have to end after SIGTERM when the service goes."""


class Running:
    """A process of ours: joins what is known of it with the process itself and with the calls that hear of it."""

    def __init__(self, service: "Rexec", proc: Proc, cmd: dict[str, Any]) -> None:
        self.proc = proc
        self.cmd = cmd
        """The command object as it came, for who attaches."""
        self.listener: Call | None = None
        self.waiter: Call | None = None
        self.process: Process | None = None
        self.early: list[Callable[[], None]] = []
        """What clients wanted of it before it ran."""
        self.logged = False
        """Whether the log knows of its end."""
        self._service = service

    def tell(self, answers: list[Answer]) -> None:
        """Answers the client that listens, if one does."""
        if self.listener is not None:
            for answer in answers:
                self.listener.respond(answer)

    def deafen(self) -> None:
        """Nobody listens any more: nothing is held back for who does not hear."""
        self.listener = None
        if self.process is not None:
            for stream in self.proc.outputs:
                self.process.resume(stream)

    def kill(self, signum: int) -> None:
        """Signals it. OSError(ESRCH) once it is gone."""
        if self.process is None:
            self.early.append(partial(self.kill, signum))
        else:
            self.process.kill(signum)

    # -- what the process does --------------------------------------------------------------------------------------

    def output(self, process: Process, stream: str, data: bytes) -> None:
        """It has written."""
        proc = self.proc
        pieces = proc.pieces(stream, data)
        self.tell(proc.output(stream, pieces))
        if proc.blocked(stream) and self.listener is not None:
            process.pause(stream)
        if proc.background:
            self._service.log_output(proc, stream, pieces)
            if proc.waitable:
                proc.retain(stream, pieces)
        self._service.settle(self)

    def drained(self, process: Process, stream: str, count: int) -> None:
        """It has read."""
        self.tell(self.proc.drained(stream, count))

    def stopped(self, process: Process, signum: int) -> None:
        """It was stopped."""
        self.tell(self.proc.stopped())

    def exited(self, process: Process, status: int) -> None:
        """It has ended."""
        self.tell(self.proc.exited(status))
        self._service.settle(self)


class Rexec(Service):
    """Runs processes for the instance owner."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._table: Table[Running] = Table()
        self._stopping = False
        self._empty = asyncio.Event()

    async def stop(self) -> None:
        """Asks everything to end, and after a while no longer asks."""
        self._stopping = True
        for running in self._table:
            if running.proc.done:
                self._forget(running)
            else:
                running.proc.waitable = False
                self._signal(running, signal.SIGTERM)
        if len(self._table):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), GRACE)
        for running in self._table:
            self._signal(running, signal.SIGKILL)

    def configured(self, config: Config) -> None:
        """Notes whether guests are let in."""
        self._guests = config.access.allow_guest_user

    def _authorize(self, call: Call) -> None:
        """Where guests are let in, rank 0 is for those who are on it: else any node could become the whole instance."""
        if self.host.rank == 0 and not call.request.rolemask & LOCAL and self._has_guests():
            raise OSError(EPERM, "Remote rexec requests are not allowed on rank 0")

    def _has_guests(self) -> bool:
        return allowed(self.host.attributes, "access.allow-guest-user", self._guests)

    # -- starting ---------------------------------------------------------------------------------------------------

    @request()
    def exec(self, call: Call, *, cmd: dict[str, Any], flags: int, local_flags: int = 0, key: str = "") -> Later:
        """Starts a process: for a stream of answers in the foreground, for a single one in the background.

        By its `key` (ours) who has many started by one multicast finds all of them, whose matchtags it does not know.
        """
        self._authorize(call)
        if self._stopping:
            raise OSError(ENOSYS, "subprocess server is shutting down")
        proc = Proc(command(cmd), self.host.rank, flags, local_flags, background=not call.request.streaming)
        running = Running(self, proc, cmd)
        self._table.add(running, (b"", key) if key else call.key)
        running.listener = call
        call.on_close = partial(self._abandoned, running)
        self.run(self._start(running))
        return LATER

    async def _start(self, running: Running) -> None:
        proc = running.proc
        try:
            running.process = await self.host.spawn(
                proc.command.cmdline,
                running,
                env=proc.command.environment(dict(os.environ), self.host.attributes.get("local-uri")),
                cwd=proc.command.cwd or "",
                streams=proc.streams,
                channels=proc.command.channels,
                group=proc.group,
            )
        except OSError as error:
            self._forget(running)
            if running.listener is not None:
                why = (error.strerror or str(error)).removeprefix(f"{proc.command.cmdline[0]}: ")
                running.listener.refuse(error.errno or EIO, f"error launching process: {why}")
            return
        running.tell(proc.started(running.process.pid))
        if proc.background:
            running.listener = None
            running.process.close("stdin")
        for do in running.early:
            with suppress(OSError):
                do()
        running.early.clear()

    def _abandoned(self, running: Running) -> None:
        """The client that listened is gone: what runs in the foreground goes with it."""
        running.deafen()
        if running.proc.background:
            running.proc.attached = False
        else:
            self._signal(running, signal.SIGKILL)

    # -- input and signals ------------------------------------------------------------------------------------------

    @request()
    def write(self, call: Call, *, io: dict[str, Any], matchtag: int = 0, key: str = "") -> None:
        """Writes to a stream of the process that this client's request `matchtag` has started, or that has this key."""
        self._authorize(call)
        running = self._of(call, matchtag, key)
        if running is not None and running.proc.status is None:
            self._write(running, iodata.decode(io))

    def _write(self, running: Running, piece: iodata.Piece) -> None:
        process, proc = running.process, running.proc
        if process is None:
            running.early.append(partial(self._write, running, piece))
        elif proc.takes(piece.stream):
            if not proc.written(piece.stream, len(piece.data)):
                self._overrun(running, piece.stream)
                return
            process.write(piece.stream, piece.data)
            if piece.end:
                process.close(piece.stream)

    def _overrun(self, running: Running, stream: str) -> None:
        """The client did not mind its credit: what was lost cannot be made good, so the process ends."""
        self._signal(running, signal.SIGKILL)
        if running.listener is not None:
            running.listener.refuse(ENOSPC, f"internal fatal error: {stream}: No space left in buffer")
            running.deafen()

    @request()
    def credit(self, call: Call, *, channels: dict[str, int], matchtag: int = 0, key: str = "") -> None:
        """Lets a process go on writing, whose client had set a window and has dealt with so much output since."""
        running = self._of(call, matchtag, key)
        if running is not None and running.process is not None:
            for stream in channels.keys() & {*running.proc.outputs}:
                running.proc.dealt(stream, channels[stream])
                if not running.proc.blocked(stream):
                    running.process.resume(stream)

    @request()
    def kill(self, call: Call, *, signum: int, pid: int = 0, label: str | None = None, key: str = "") -> None:
        """Sends a signal to a process group; to who has a key also before it has begun."""
        self._authorize(call)
        running = self._of(call, 0, key) if key else self._table.find(pid, label)
        if running is not None:
            running.kill(signum)

    def _of(self, call: Call, matchtag: int, key: str) -> Running | None:
        return self._table.of_request((b"", key) if key else (call.sender, matchtag))

    # -- attaching, waiting, listing --------------------------------------------------------------------------------

    @request(stream=True)
    def attach(self, call: Call, *, pid: int, flags: int, label: str | None = None) -> Later:
        """Lets a client listen to a process in the background."""
        self._authorize(call)
        try:
            running = self._table.find(pid, label)
        except OSError as error:
            raise OSError(ENOENT, error.strerror) from None
        proc = running.proc
        if not proc.background:
            raise OSError(EBUSY, "subprocess is not in background mode")
        if proc.attached:
            raise OSError(EBUSY, "subprocess already has a client attached")
        if running.waiter is not None:
            raise OSError(EBUSY, "subprocess is being waited on")
        running.listener, proc.attached = call, True
        call.on_close = partial(self._abandoned, running)
        running.tell(proc.attach(running.cmd, flags))
        self.settle(running)
        return LATER

    @request()
    def wait(self, call: Call, *, pid: int, label: str | None = None) -> Later:
        """Answers when a waitable process has ended, and forgets it."""
        self._authorize(call)
        running = self._table.find(pid, label)
        if not running.proc.waitable:
            raise OSError(EINVAL, "process is not waitable")
        if running.waiter is not None:
            raise OSError(EINVAL, "process is already being waited on")
        if running.proc.attached:
            raise OSError(EBUSY, "subprocess has a client attached")
        running.waiter = call
        call.on_close = partial(self._waits_no_more, running)
        self.settle(running)
        return LATER

    def _waits_no_more(self, running: Running) -> None:
        running.waiter = None

    @request()
    def list(self, call: Call) -> dict[str, Any]:
        """The processes there are, and those that somebody may still wait for."""
        return {"rank": self.host.rank, "procs": [running.proc.entry() for running in self._table if running.proc.pid]}

    # -- the end of a process ---------------------------------------------------------------------------------------

    def settle(self, running: Running) -> None:
        """When nothing more can come of a process, tells it once, and forgets it unless somebody may still wait."""
        proc = running.proc
        if not proc.done:
            return
        if proc.background and not running.logged:
            running.logged = True
            self._log_end(proc)
        listener, running.listener = running.listener, None
        if listener is not None:
            listener.end()
        if running.waiter is not None:
            running.waiter.respond(proc.result())
        if listener is not None or running.waiter is not None or not proc.waitable:
            self._forget(running)

    def _forget(self, running: Running) -> None:
        self._table.remove(running)
        if not len(self._table):
            self._empty.set()

    def _signal(self, running: Running, signum: int) -> None:
        with suppress(OSError):
            running.kill(signum)

    # -- the log ----------------------------------------------------------------------------------------------------

    def log_output(self, proc: Proc, stream: str, pieces: Iterable[bytes]) -> None:
        """What runs in the background writes to the log, whoever else listens."""
        name = proc.command.log_name(proc.pid)
        for piece in filter(None, pieces):
            text = piece.decode(errors="replace").rstrip("\n")
            self.log(LOG_ERR if stream == "stderr" else LOG_INFO, f"{name}: {text}")

    def _log_end(self, proc: Proc) -> None:
        label = f"{proc.command.label}: " if proc.command.label else ""
        status = proc.status or 0
        name = f"{label}{proc.command.cmdline[0].rpartition('/')[2]}[{proc.pid}]"
        if os.WIFSIGNALED(status):
            self.log(LOG_INFO, f"{name}: Killed by signal {os.WTERMSIG(status)}")
        else:
            self.log(LOG_INFO, f"{name}: Exit {os.waitstatus_to_exitcode(status)}")
