"""The keeper: the small process that is the parent of every task, so that none outlives its broker.

It starts, signals and reaps what it is told to, and when the broker's end of the socket closes, for whatever reason,
it kills all that it has started and all that came of it. It knows nothing of jobs, of messages or of who asks.
"""

import gc
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from errno import EIO
from importlib import import_module
from typing import Any, NoReturn

from flux.runtime.descriptor import close_all_but, fill_standard
from flux.runtime.keeper_birth import SIGNALS, born
from flux.runtime.keeper_leftovers import Leftovers
from flux.runtime.keeper_link import Ended, Finish, Inbox, Kill, Order, Refused, Report, Start, Started, Stopped, packed
from flux.runtime.linux import descendants, set_process_name, set_subreaper

# The C functions below the module `signal`: its wrappers look for enums, and a page is copied for each that they touch.
_signal: Any = import_module("_signal")

DEAF = frozenset(
    int(getattr(signal, f"SIG{name}"))
    for name in ("INT", "TERM", "HUP", "QUIT", "TSTP", "TTIN", "TTOU", "USR1", "USR2", "ALRM", "PIPE", "XCPU", "XFSZ")
)
"""What a terminal, or a hand that meant the broker, may send: a keeper lives exactly as long as its broker."""


LOOK_AGAIN = 10
"""Milliseconds after which it is looked again for what may still be left of tasks."""


class Keeper:
    """The broker's hold on its keeper: the socket whose closing ends it, and its pid, 0 if somebody else forked it."""

    __slots__ = ("pid", "sock")

    def __init__(self, sock: socket.socket, pid: int = 0) -> None:
        self.sock = sock
        self.pid = pid


def fork_keeper() -> Keeper:
    """Forks the keeper. Call it before anything is opened and before there are threads."""
    fill_standard()
    ours, theirs = socket.socketpair()
    pid = fork_at(theirs)
    theirs.close()
    return Keeper(ours, pid)


def fork_at(sock: socket.socket, prepare: Callable[[], object] = lambda: None) -> int:
    """Forks the keeper that has this end of a broker's socket; it first does what `prepare` does. Returns its pid."""
    pid = os.fork()
    if pid == 0:
        _live(sock, prepare)
    return pid


def _live(sock: socket.socket, prepare: Callable[[], object]) -> NoReturn:
    """The whole life of the forked process; nothing of its parent's code runs on."""
    code = 1
    try:
        gc.disable()
        close_all_but(sock.fileno())
        _forget_signals()
        prepare()
        set_subreaper()
        set_process_name("flux-keeper")
        _Keeping(sock).run()
        code = 0
    except BaseException:  # the last frame of this process: there is nobody to raise to
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _forget_signals() -> None:
    """Takes signals no longer as its parent took them."""
    for signum in SIGNALS:
        _signal.signal(signum, _signal.SIG_IGN if signum in DEAF else _signal.SIG_DFL)
    _signal.pthread_sigmask(signal.SIG_SETMASK, ())


class _Keeping:
    """What a keeper does: one blocking loop."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._inbox = Inbox(sock)
        self._home = _here()
        self._woken, self._wake = socket.socketpair()
        """How a signal ends a wait. They outlive `_serve`: signals write to them until `run` says no more."""
        self._running: dict[int, bool] = {}
        """Each process that was started and has not ended, and whether it leads a group."""
        self._leftovers = Leftovers()

    def run(self) -> None:
        """Serves the broker until it is gone."""
        try:
            self._serve()
        finally:
            signal.set_wakeup_fd(-1)
            self._end()

    def _serve(self) -> None:
        woken, wake = self._woken, self._wake
        woken.setblocking(False)
        wake.setblocking(False)
        _signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        ready = select.poll()
        for sock in (self._sock, woken):
            ready.register(sock, select.POLLIN)
        while True:
            which = [fd for fd, _ in ready.poll(LOOK_AGAIN if self._leftovers else None)]
            if woken.fileno() in which:
                woken.recv(4096)
                self._reap()
            if self._sock.fileno() in which:
                if not self._inbox.receive():
                    return
                for order, descriptors in self._inbox.messages():
                    self._obey(order, descriptors)  # type: ignore[arg-type]
                    self._reap()
            if self._leftovers:
                self._leftovers.end(self._running)

    def _obey(self, order: Order, descriptors: list[int]) -> None:
        if isinstance(order, Kill):
            self._kill(order.pid, order.signum)
            return
        if isinstance(order, Finish):
            self._leftovers.want(order.words)
            return
        try:
            self._report(self._start(order, descriptors))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _start(self, order: Start, descriptors: list[int]) -> Report:
        try:
            pid = born(order, descriptors, self._home)
        except OSError as error:
            return Refused(order.id, error.errno or EIO, error.strerror or str(error))
        except Exception as error:  # a bug of ours must not be the end of all the others
            traceback.print_exc()
            return Refused(order.id, EIO, f"{type(error).__name__}: {error}")
        self._running[pid] = order.group
        return Started(order.id, pid)

    def _kill(self, pid: int, signum: int) -> None:
        """Signals a group. A leader that has ended may have left others in it, as long as its number is not taken."""
        with suppress(OSError):  # gone, or another user's by now: the broker learns of an end by its status
            if pid in self._running:
                (os.killpg if self._running[pid] else os.kill)(pid, signum)
            elif any(_group(child) == pid for child in descendants(os.getpid())):
                os.killpg(pid, signum)

    def _reap(self) -> None:
        """Reports who has ended or stopped. Most of what dies here was never started by us: orphans that came to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._tell(pid, status)

    def _tell(self, pid: int, status: int) -> None:
        if pid not in self._running:
            return
        if os.WIFSTOPPED(status):
            self._report(Stopped(pid, os.WSTOPSIG(status)))
        else:
            del self._running[pid]
            self._report(Ended(pid, status))

    def _report(self, report: Report) -> None:
        with suppress(OSError):  # the broker is gone: the loop sees it next
            self._sock.sendall(packed(report))

    def _end(self) -> None:
        """Kills everything. Who loses its parent becomes our child, so nobody is left when we have no child left."""
        for pid in self._running:
            self._kill(pid, signal.SIGKILL)
        while True:
            found = list(descendants(os.getpid())) or list(self._running)
            if found and not _kill_each(found):
                return
            try:  # none found and yet children: somebody is just being handed over to us
                self._tell(*os.waitpid(-1, 0 if found else os.WNOHANG))
            except ChildProcessError:
                return
            self._reap()


def _here() -> int:
    """The directory that we were started in, to come back to; it need not be readable."""
    how = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY
    try:
        return os.open(".", how)
    except OSError:
        return os.open("/", how)


def _kill_each(pids: list[int]) -> bool:
    """Kills what may be killed; False if all belong to other users, so that waiting might have no end."""
    killed = False
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
            killed = True
        except ProcessLookupError:
            killed = True
        except PermissionError:
            continue
    return killed


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0
