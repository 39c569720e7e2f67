"""Brokers forked from one warm process, which serves them PMI, passes signals on and outlives them all."""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from errno import EINVAL
from select import POLLIN, poll
from socket import MSG_PEEK, socket, socketpair
from time import monotonic
from typing import NamedTuple, NoReturn

from flux.runtime.descriptor import close_all_but, fill_standard
from flux.runtime.keeper import Keeper, fork_at
from flux.runtime.linux import descendants, set_subreaper
from flux.runtime.pmi import Bootstrap, Forked
from flux.runtime.system import check_descriptors
from flux.runtime.terminal import typed
from flux.wire.message import BadMessage
from flux.wire.pmi import MAPPING_KEY, Abort, Action, Enter, Lines, Reply, Server

Broker = Callable[[Bootstrap, Keeper], int]
"""Runs a broker to its end in this process, with what PMI says and its keeper; returns its exit code."""

PASSED_ON = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
OURS = (*PASSED_ON, signal.SIGCHLD)
ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
NOTHING: Mapping[str, str] = {}
GRACE = 5.0
"""Seconds that the other brokers have to end after rank 0 has."""
FILES, FILES_EACH = 16, 2
"""Open files that a launcher needs, and how many more for each broker: its PMI and its keeper's socket."""


class Child(NamedTuple):
    """One broker, seen from here."""

    rank: int
    pid: int
    pmi: socket
    lines: Lines


def check(size: int) -> None:
    """Refuses a number of brokers that cannot be; OSError says why."""
    if size < 1:
        raise OSError(EINVAL, f"size must be at least 1, not {size}")
    check_descriptors(FILES + FILES_EACH * size, f"a session of {size}")


def launch(
    size: int, broker: Broker, say: Callable[[str], None], *, pairs: Mapping[str, str] = NOTHING, verbose: int = 0
) -> int:
    """Runs `size` brokers and returns the exit code of rank 0 (128 + the signal that ended it). Nothing is left behind.

    Call it with everything imported and before there are threads, sockets or ZeroMQ contexts. `pairs` is what is known
    in PMI from the start. `say` gets a line for each broker that ends as it should not; with `verbose` also for each
    that starts, with 2 all that is said in PMI.
    """
    check(size)
    set_subreaper()
    return _Launch(size, broker, say, pairs, verbose).run()


class _Launch:
    """The brokers of one session."""

    def __init__(
        self, size: int, broker: Broker, say: Callable[[str], None], pairs: Mapping[str, str], verbose: int
    ) -> None:
        self._size, self._broker, self._say, self._verbose = size, broker, say, verbose
        self._pairs = {MAPPING_KEY: f"(vector,(0,1,{size}))", **pairs}
        self._server = Server(range(size), size, "", self._pairs)
        self._children: dict[int, Child] = {}
        self._socks: list[socket] = []
        self._on_call: dict[int, tuple[int, socket]] = {}
        """Of each broker that has not called its keeper yet: its rank, and the keeper's end of the socket."""
        self._code = 1
        """Until rank 0 ends, what a session that never came up ends with."""
        self._deadline = 0.0
        """When those who are left are killed, once rank 0 is gone."""

    def run(self) -> int:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, OURS)
        try:
            self._fork_all(mask)
            self._catch_signals(mask)
            self._serve()
        finally:
            self._kill(signal.SIGKILL)
            self._close()
            _end_descendants()
        return self._code

    # -- forking ----------------------------------------------------------------------------------------------------

    def _fork_all(self, mask: Iterable[int]) -> None:
        gc.freeze()  # so that no collector, ours or a child's, touches the pages that we share
        _forget_lookups()
        fill_standard()
        for rank in range(self._size):
            if ending := signal.sigpending() & {*ENDING}:  # a large session takes seconds to fork
                return self._abandon("", 128 + min(ending))
            try:
                self._fork(rank, mask)
            except OSError as error:
                raise OSError(error.errno, f"broker {rank} of {self._size}: {error.strerror}") from None

    def _fork(self, rank: int, mask: Iterable[int]) -> None:
        ours, theirs = socketpair()
        keepers_end, keeper = socketpair()
        self._socks.append(ours)
        self._on_call[keepers_end.fileno()] = rank, keepers_end
        pid = os.fork()
        if pid == 0:
            self._live(rank, theirs, keeper, mask)
        theirs.close()
        keeper.close()
        self._children[pid] = Child(rank, pid, ours, Lines())
        if self._verbose:
            self._say(f"{rank} (pid {pid}) started")

    def _live(self, rank: int, pmi: socket, keeper: socket, mask: Iterable[int]) -> NoReturn:
        """The whole life of a forked process."""
        code = 1
        try:
            close_all_but(pmi.fileno(), keeper.fileno())
            if rank > 0:
                _leave_terminal()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the broker hears it: we have it as well
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = self._broker(Forked(pmi, rank, self._size, self._pairs), Keeper(keeper))
        except OSError as error:
            self._say(f"{rank}: {error.strerror or error}")
        except BaseException as error:
            if self._verbose:
                traceback.print_exc()
            self._say(f"{rank}: internal error: {type(error).__name__}: {error}")
        finally:
            os._exit(code)

    # -- serving ----------------------------------------------------------------------------------------------------

    def _catch_signals(self, mask: Iterable[int]) -> None:
        self._woken, wake = socketpair()
        for sock in (self._woken, wake):
            sock.setblocking(False)
        self._wake = wake
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        for signum in OURS:
            signal.signal(signum, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _serve(self) -> None:
        self._ready = poll()
        self._by_fd = {child.pmi.fileno(): child for child in self._children.values()}
        for fd in (self._woken.fileno(), *self._by_fd, *self._on_call):
            self._ready.register(fd, POLLIN)
        while self._children:
            which = self._ready.poll(self._milliseconds_left())
            if not which:
                self._give_up()
            elif self._woken.fileno() in [fd for fd, _ in which]:
                signums = self._woken.recv(4096)
                self._hear_all(self._ready.poll(0))  # what was said before somebody ended is heard before that
                self._signals(signums)
            else:
                self._hear_all(which)

    def _hear_all(self, which: list[tuple[int, int]]) -> None:
        for fd, _ in which:
            if fd in self._on_call:
                self._ready.unregister(fd)
                self._call_keeper(*self._on_call.pop(fd))
            elif fd in self._by_fd and not self._hear(self._by_fd[fd]):
                self._ready.unregister(fd)

    def _call_keeper(self, rank: int, sock: socket) -> None:
        """Forks the keeper of a broker that has something for it to do. Most brokers of a short session never have."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, OURS)
        with suppress(OSError):  # the broker died, or sees that its keeper cannot be
            if sock.recv(1, MSG_PEEK):
                fork_at(sock, _leave_terminal if rank > 0 else lambda: None)
        sock.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _hear(self, child: Child) -> bool:
        """Serves what a broker asks. False when it will ask no more."""
        try:
            data = child.pmi.recv(65536)
            for line in child.lines.feed(data):
                if self._verbose > 1:
                    self._say(f"{child.rank}: C: {line.decode(errors='replace')}")
                self._do(self._server.receive(child.rank, line))
        except BadMessage as error:
            self._abandon(f"{child.rank} (pid {child.pid}): {error}", 1)
            return False
        except OSError:
            return False
        return bool(data)

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Reply(rank, line):
                    if self._verbose > 1:
                        self._say(f"{rank}: S: {line.decode(errors='replace').rstrip()}")
                    self._reply(rank, line)
                case Enter(pairs):
                    self._do(self._server.release(pairs))
                case Abort(rank, code, text):
                    self._abandon(f"{rank} aborted the session{': ' + text if text else ''}", code)

    def _reply(self, rank: int, line: bytes) -> None:
        with suppress(OSError):  # gone: its exit status follows
            self._socks[rank].sendall(line)

    # -- ending -----------------------------------------------------------------------------------------------------

    def _signals(self, signums: bytes) -> None:
        for signum in dict.fromkeys(signums):
            if signum == signal.SIGCHLD:
                self._reap()
            elif signum in ENDING and 0 not in self._server.finalized:
                self._abandon("", 128 + signum)
            elif not typed(signum):
                self._kill(signum, only=0)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)  # None: an orphan that came to us
            if child is not None:
                self._ended(child, status)

    def _ended(self, child: Child, status: int) -> None:
        code = _exit_code(status)
        was_up = 0 in self._server.finalized
        if os.WIFSIGNALED(status):
            if not (self._deadline and code - 128 == signal.SIGTERM):  # that was us
                self._say(f"{child.rank} (pid {child.pid}) {signal.strsignal(code - 128)}")
        elif code and not (was_up and child.rank == 0) and not (self._deadline and code == 128 + signal.SIGTERM):
            self._say(f"{child.rank} (pid {child.pid}) exited with rc={code}")
        if child.rank == 0:
            self._code = code
            self._deadline = monotonic() + GRACE
            if os.WIFSIGNALED(status):
                self._kill(signal.SIGTERM)
        if not was_up:  # rank 0 runs once all have come: before that, nothing has begun
            self._abandon("", code or 1)

    def _abandon(self, why: str, code: int) -> None:
        """The session cannot be: nobody has begun anything in it, so that all may be killed."""
        if why:
            self._say(why)
        self._code = code or 1
        self._kill(signal.SIGSTOP)  # or who is killed later would complain of those that are killed first
        self._kill(signal.SIGKILL)
        for child in self._children.values():
            os.waitpid(child.pid, 0)
        self._children.clear()

    def _close(self) -> None:
        """Gives up what the brokers hear of us: who still lives sees it, and we may open files again."""
        for sock in (*self._socks, *(sock for _, sock in self._on_call.values())):
            sock.close()

    def _milliseconds_left(self) -> int | None:
        return max(0, int((self._deadline - monotonic()) * 1000)) if self._deadline else None

    def _give_up(self) -> None:
        for child in self._children.values():
            self._say(f"{child.rank} (pid {child.pid}) does not end: killed")
        self._kill(signal.SIGKILL)
        self._children.clear()

    def _kill(self, signum: int, only: int | None = None) -> None:
        for child in self._children.values():
            if only in (None, child.rank):
                os.kill(child.pid, signum)


def _forget_lookups() -> None:
    """Has Python forget which attributes it looked up while importing: each that a broker replaces by one of its own
    would cost it a copy of the page that the old one's name is on."""
    (getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache)()


def _leave_terminal() -> None:
    """What is typed is for rank 0 alone, with the program that it runs."""
    os.setpgid(0, 0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _end_descendants() -> None:
    """Kills and reaps all that the brokers have left: as a subreaper we get whoever loses its parent."""
    while True:
        for pid in descendants(os.getpid()):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
