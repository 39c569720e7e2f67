"""One command on many ranks: what is typed goes to all of them, what they say comes out here, Ctrl-C reaches them."""

import os
import signal
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from errno import EACCES, EHOSTUNREACH, ENOENT, EPERM
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from flux.base.idset import BRACKETS, RANGE, IDset
from flux.base.lines import Chunks, Lines
from flux.constants import FLUX_POLLIN
from flux.core.cast import Cast, Singly, way
from flux.core.remote import Remote
from flux.runtime.descriptor import write_all

if TYPE_CHECKING:
    from flux.core.handle import Flux

EX_NOHOST = 68
EXIT_CODES = {EPERM: 126, EACCES: 126, ENOENT: 127, EHOSTUNREACH: EX_NOHOST}
LONGEST_LINE = 4 << 20
CHUNK = 1 << 16
UNDER_WAY = 1 << 22
"""Bytes of output that may be on their way to us, so that a broker need not keep what we cannot write yet."""
IMPATIENCE = 1.0
"""Seconds within which a further Ctrl-C means us."""
BY_LINE = {"stdout_LINE_BUFFER": "false", "stderr_LINE_BUFFER": "false"}
"""Lines are put together here, so that brokers may send output as it comes."""


class Manner(NamedTuple):
    """How a crowd is attended to."""

    label: bool = False
    """Begin each line with the rank that says it."""
    feed: bool = True
    """Give it our standard input."""
    verbose: bool = False
    quiet: bool = False
    """Do not say who failed."""


class Crowd:
    """A process on each of several ranks, with this program's stdin, stdout and stderr. The Listener of each Remote."""

    def __init__(self, handle: "Flux", targets: IDset, manner: Manner, service: str = "rexec") -> None:
        self._handle, self._targets, self._manner = handle, targets, manner
        self._began = monotonic()
        self._code = 0
        self._failures: dict[str, IDset] = defaultdict(IDset)
        """Who did not end with 0, by how they ended."""
        self._remotes = [Remote(handle, rank, self, service) for rank in targets]
        self._running = len(self._remotes)
        self._lines: dict[tuple[int, str], Lines | Chunks] = {}
        self._service = service
        self._way: Singly | Cast = Singly(self._remotes)
        self._feed = Feed(handle, self._remotes, self._write)
        self._interrupts: list[float] = []
        self._hint = ""
        """What to say to who only wanted to listen, when Ctrl-C ends that."""
        self._what = ""

    def run(self, command: dict[str, Any]) -> int:
        """Runs a command object to the end of the last process; returns the largest exit code."""
        self._what = command["cmdline"][0]
        self._note(f"Starting {self._what} on {_text(self._targets)}")
        command = command | {"opts": BY_LINE | command["opts"]}
        window = max(UNDER_WAY // self._running, CHUNK // 4)
        self._way = way(self._handle, self._remotes, self._service)
        self._way.run(command, window)
        if self._manner.feed:
            self._feed.open()
        else:
            self._write(self._remotes, b"")
        self._note("Sent all requests")
        return self._attend()

    def attach(self, pid: int, label: str | None) -> int:
        """Listens to what runs in the background, found by label if there is one; returns the largest exit code."""
        self._what = f"pid {pid}" if label is None else f"label {label}"
        self._hint = f"detached; use 'flux sproc kill {pid if label is None else label}' to signal it"
        for remote in self._remotes:
            remote.attach(pid, label)
        return self._attend()

    def _attend(self) -> int:
        for signum in (signal.SIGINT, signal.SIGTERM):
            self._handle.signal_watcher_create(signum, self._signalled).unref().start()
        self._handle.reactor_run()
        self._note(f"{len(self._remotes) - self._running} tasks complete with code {self._code}")
        for how, ranks in self._failures.items() if not self._manner.quiet else ():
            _say(f"{_text(ranks)}: {how}")
        return self._code

    # -- what the remotes tell --------------------------------------------------------------------------------------

    def started(self, remote: Remote) -> None:
        """It runs."""
        self._feed.check()

    def credit(self, remote: Remote, stream: str, count: int) -> None:
        """It takes more input."""
        if stream == "stdin":
            self._feed.credit(remote, count)

    def output(self, remote: Remote, stream: str, data: bytes) -> None:
        """It says something: whole lines go out, except where there is nobody to tell it from."""
        key = remote.rank, stream
        if key not in self._lines:
            mixed = self._manner.label or len(self._remotes) > 1
            self._lines[key] = Lines(LONGEST_LINE) if mixed else Chunks()
        pieces = self._lines[key].feed(data)
        if self._manner.label:
            pieces = [b"%d: %s" % (remote.rank, piece) for piece in pieces if piece]
        write_all(2 if stream == "stderr" else 1, b"".join(pieces))

    def ended(self, remote: Remote) -> None:
        """It is over."""
        self._running -= 1
        if remote.error is not None:
            for stream in [stream for rank, stream in self._lines if rank == remote.rank]:
                self.output(remote, stream, b"")
            code = EXIT_CODES.get(remote.error.errno or 0, 1)
            _say(f"flux-exec: Error: rank {remote.rank}: {self._what}: {remote.error.strerror}")
        else:
            code = os.waitstatus_to_exitcode(remote.status or 0)
            if code:
                how = f"Exit {code}" if code > 0 else signal.strsignal(-code) or f"Signal {-code}"
                self._failures[how].set(remote.rank)
            code = 128 - code if code < 0 else code
        self._code = max(self._code, code)
        self._feed.check()

    # -- signals ----------------------------------------------------------------------------------------------------

    def _signalled(self, handle: "Flux", watcher: Any, signum: int, args: Any) -> None:
        if signum == signal.SIGINT and self._hint:
            _say(self._hint)
            handle.reactor_stop()
        elif signum == signal.SIGINT and self._insists():
            left = IDset([remote.rank for remote in self._remotes if not remote.over])
            _say(f"{_text(left)}: command still running at exit")
            self._code = 1
            handle.reactor_stop()
        else:
            self._note(f"sending signal {int(signum)} to {self._running} running processes")
            self._way.kill(signum)

    def _write(self, remotes: list[Remote], data: bytes) -> None:
        self._way.write(remotes, "stdin", data)

    def _insists(self) -> bool:
        """Whether this Ctrl-C, after others that did not help, is meant for us."""
        now = monotonic()
        before, self._interrupts = self._interrupts, [*self._interrupts, now]
        if len(before) >= 2 and now - before[-1] < IMPATIENCE:
            return True
        if before:
            _say(f"interrupt (Ctrl+C) one more time within {IMPATIENCE:.2f} sec to exit")
        return False

    def _note(self, text: str) -> None:
        if self._manner.verbose:
            _say(f"{(monotonic() - self._began) * 1000:.3f}ms: {text}")


class Feed:
    """Our standard input, for all who run: as much as the slowest of them takes."""

    def __init__(self, handle: "Flux", remotes: list[Remote], write: Callable[[list[Remote], bytes], None]) -> None:
        self._remotes, self._write = remotes, write
        self._room = dict.fromkeys(remotes, 0)
        self._watcher = handle.fd_watcher_create(0, self._readable, FLUX_POLLIN)
        self._open = False

    def open(self) -> None:
        """Reads from now on, whenever there is somebody to read it."""
        self._open = True

    def credit(self, remote: Remote, count: int) -> None:
        """One of them has room for so much more."""
        self._room[remote] += count
        self.check()

    def check(self) -> None:
        """Reads, or waits, as it must be now."""
        if self._open and self._most():
            self._watcher.start()
        else:
            self._watcher.stop()

    def _most(self) -> int:
        """How much may be read: nothing until each has started."""
        if any(not remote.pid and not remote.over for remote in self._remotes):
            return 0
        return min((self._room[remote] for remote in self._readers()), default=0)

    def _readers(self) -> list[Remote]:
        return [remote for remote in self._remotes if remote.status is None and not remote.over]

    def _readable(self, handle: "Flux", watcher: Any, fd: int, revents: int, args: Any) -> None:
        try:
            data = os.read(0, min(self._most(), CHUNK))
        except BlockingIOError:
            return
        except OSError:  # it is closed, or a terminal that has gone
            data = b""
        readers = self._readers()
        self._write(readers, data)
        for remote in readers:
            self._room[remote] -= len(data)
        self._open = bool(data)
        self.check()


def _text(ranks: IDset) -> str:
    return ranks.encode(BRACKETS | RANGE)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody is there to read it
        write_all(2, text.encode(errors="surrogateescape") + b"\n")
