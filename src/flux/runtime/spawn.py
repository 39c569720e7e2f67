"""The broker's side of its keeper: starts processes without ever blocking the loop, and hears how they end."""

import asyncio
import os
import signal
import socket
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from errno import ECONNRESET, EINVAL, EIO, ENOTCONN, EPIPE
from functools import partial

from flux.runtime.keeper import Keeper
from flux.runtime.keeper_link import (
    MOST_DESCRIPTORS,
    Ended,
    Finish,
    Inbox,
    Kill,
    Order,
    Refused,
    Report,
    Start,
    Started,
    Stopped,
    packed,
    send,
)
from flux.runtime.spawn_port import AS_THE_BROKER, STDIO, Conditions, Watcher
from flux.runtime.spawn_process import Child

WINDOW = 32
"""Starts that are under way at once: a kernel lets a user have only so many descriptors in flight."""


class Spawner:
    """The Spawn of `spawn_port`."""

    def __init__(self, keeper: Keeper, loop: AbstractEventLoop | None = None) -> None:
        self._loop = loop or asyncio.get_running_loop()
        self._pid, self._sock = keeper.pid, keeper.sock
        self._sock.setblocking(False)
        self._inbox = Inbox(self._sock)
        self._outbox: deque[tuple[memoryview, list[int], Order]] = deque()
        self._window = asyncio.Semaphore(WINDOW)
        self._starting: dict[int, tuple[Child, Future[None]]] = {}
        self._running: dict[int, Child] = {}
        self._open: set[Child] = set()
        """Those that run, or whose output has not ended."""
        self._last = 0
        self._gone: Future[None] = self._loop.create_future()
        """Done when the keeper is dead, by our will or not."""
        self._closing = False
        self.on_lost: Callable[[], None] | None = None
        """Called if the keeper dies while it is needed; nothing can be started from then on."""
        self._loop.add_reader(self._sock, self._readable)

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
    ) -> Child:
        """Starts a process. OSError names the command or the directory that is at fault."""
        if not argv:
            raise OSError(EINVAL, "no command")
        child = Child(self._loop, watcher)
        child.group = group
        order = Start(
            id=0,
            argv=[os.fsencode(word) for word in argv],
            env={os.fsencode(name): os.fsencode(value) for name, value in env.items()},
            cwd=os.fsencode(cwd),
            names=[],
            group=group,
            umask=conditions.umask,
            limits=conditions.limits,
            cpus=conditions.cpus,
            input=os.fsencode(conditions.input),
        )
        theirs = [name for name in streams if name not in sockets and not (name == "stdin" and conditions.input)]
        async with self._window:
            return await self._start(order, child, theirs, channels, sockets)

    async def _start(
        self, order: Start, child: Child, streams: Sequence[str], channels: Sequence[str], sockets: Mapping[str, int]
    ) -> Child:
        if self._closing or self._gone.done():
            raise OSError(EIO, "the keeper of this broker's processes is gone")
        if len(channels) + len(sockets) + len(STDIO) > MOST_DESCRIPTORS:
            raise OSError(EINVAL, f"more than {MOST_DESCRIPTORS} descriptors")
        theirs = child.open(streams, channels)
        for name, descriptor in sockets.items():
            theirs[name] = os.dup(descriptor)
        self._last = order.id = self._last + 1
        order.names = list(theirs)
        started = self._loop.create_future()
        self._starting[order.id] = child, started
        self._send(order, list(theirs.values()))
        try:
            await started
        except OSError:
            child.forget()
            raise
        self._loop.call_soon(child.begin)
        return child

    def finish(self, marks: Mapping[str, str]) -> None:
        """Kills what is left of processes that were started with all these variables and have ended."""
        if self._last and not self._closing and not self._gone.done():
            self._send(Finish([os.fsencode(f"{name}={value}") for name, value in marks.items()]), [])

    async def close(self) -> None:
        """Kills all that runs and ends the keeper. What was still to be told is told before it returns."""
        if not self._closing and not self._gone.done():
            self._closing = True
            self._loop.remove_writer(self._sock)
            self._drop_outbox()
            self._sock.shutdown(socket.SHUT_WR)
        await asyncio.shield(self._gone)

    # -- from the keeper --------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        alive = self._inbox.receive()
        for report, _ in self._inbox.messages():
            self._hear(report)  # type: ignore[arg-type]
        if not alive:
            self._keeper_gone()

    def _hear(self, report: Report) -> None:
        match report:
            case Started(id, pid):
                self._has_started(id, pid)
            case Refused(id, errnum, text):
                self._refuse(id, OSError(errnum, text))
            case Stopped(pid, signum):
                self._running[pid].stop(signum)
            case Ended(pid, status):
                self._running.pop(pid).end(status)

    def _has_started(self, id: int, pid: int) -> None:
        child, started = self._starting.pop(id)
        child.pid, child.signal, child.over = pid, self._signal, partial(self._open.discard, child)
        self._running[pid] = child
        self._open.add(child)
        if started.cancelled():  # who wanted it has left: it runs for nobody, and nobody is told
            child.forget()
            self._signal(pid, signal.SIGKILL)
        else:
            started.set_result(None)

    def _refuse(self, id: int, error: OSError) -> None:
        child, started = self._starting.pop(id)
        if started.cancelled():
            child.forget()
        else:
            started.set_exception(error)

    def _keeper_gone(self) -> None:
        """Nobody will tell us of any end now: what ran is killed as far as we can reach it, and counts as lost."""
        self._loop.remove_reader(self._sock)
        self._loop.remove_writer(self._sock)
        self._drop_outbox()
        self._sock.close()
        if self._pid:
            with suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
        for id in list(self._starting):
            self._refuse(id, OSError(EIO, "the keeper of this broker's processes is gone"))
        for pid, child in list(self._running.items()):
            _kill_lost(pid, child.group)
            self._hear(Ended(pid, signal.SIGKILL))
        for child in list(self._open) if self._closing else ():
            child.drain()
        self._gone.set_result(None)
        if self.on_lost is not None and not self._closing:
            self.on_lost()

    # -- to the keeper ----------------------------------------------------------------------------------------------

    def _signal(self, pid: int, signum: int) -> None:
        if not self._closing and not self._gone.done():
            self._send(Kill(pid, signum), [])

    def _send(self, order: Order, descriptors: list[int]) -> None:
        self._outbox.append((memoryview(packed(order, len(descriptors))), descriptors, order))
        if len(self._outbox) == 1:
            self._flush()

    def _flush(self) -> None:
        while self._outbox:
            data, descriptors, order = self._outbox.popleft()
            try:
                count = send(self._sock, data, descriptors)
            except (BlockingIOError, InterruptedError):
                self._outbox.appendleft((data, descriptors, order))
                self._loop.add_writer(self._sock, self._flush)
                return
            except OSError as error:
                self._unsent(order, error)
                count = len(data)
            _close(descriptors)
            if count < len(data):
                self._outbox.appendleft((data[count:], [], order))
        self._loop.remove_writer(self._sock)

    def _unsent(self, order: Order, error: OSError) -> None:
        """When the keeper is gone the reader sees it next; else the kernel did not take the descriptors."""
        if isinstance(order, Start) and error.errno not in (EPIPE, ECONNRESET, ENOTCONN):
            self._refuse(order.id, error)

    def _drop_outbox(self) -> None:
        for _, descriptors, _ in self._outbox:
            _close(descriptors)
        self._outbox.clear()


def _kill_lost(pid: int, group: bool) -> None:
    with suppress(OSError):
        (os.killpg if group else os.kill)(pid, signal.SIGKILL)


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
