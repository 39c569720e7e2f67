"""`flux exec`: run a command on the brokers' own nodes, beside any jobs."""

import os
import signal
from argparse import REMAINDER, SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections import defaultdict
from collections.abc import Iterable
from errno import EACCES, EHOSTUNREACH, EINVAL, ENOENT, EPERM
from time import monotonic
from typing import TYPE_CHECKING, Any

from flux.base.idset import BRACKETS, RANGE, IDset
from flux.base.lines import Chunks, Lines
from flux.constants import FLUX_POLLIN
from flux.core.remote import Remote, command_create

if TYPE_CHECKING:
    from flux.core.handle import Flux

EXAMPLES = """\
examples:
  flux exec hostname                 on every broker's node
  flux exec -r 0,4-7 -l uptime       on some ranks, each line with the rank that says it
  flux exec -n -x 0 sh -c 'rm -f /tmp/scratch.*'
  echo hello | flux exec cat         what is typed goes to all

The exit code is the largest one: of the commands (128 + signal for those that a signal ended), 127 for a command
that is not there, 126 for one that may not be run, 68 for a rank that cannot be reached.
"""

EX_NOHOST = 68
EXIT_CODES = {EPERM: 126, EACCES: 126, ENOENT: 127, EHOSTUNREACH: EX_NOHOST}
LONGEST_LINE = 4 << 20
CHUNK = 1 << 16
UNDER_WAY = 1 << 22
"""Bytes of output that may be on their way to us, so that a broker need not keep what we cannot write yet."""
IMPATIENCE = 1.0
"""Seconds within which a further Ctrl-C means us."""


def parser() -> ArgumentParser:
    """The options of `flux exec`."""
    made = ArgumentParser(
        prog="flux exec",
        usage="flux exec [OPTIONS] COMMAND [ARGUMENT ...]",
        description="Run a command on the nodes of an instance's brokers, and wait for it.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = made.add_argument
    add("-r", "--rank", metavar="IDSET", default="all", help="run it on these ranks only (default: all)")
    add("-x", "--exclude", metavar="IDSET", default="", help="do not run it on these ranks")
    add("-d", "--dir", metavar="DIR", help="run it in DIR, not in the current directory (`none`: where the broker is)")
    add("-l", "--label-io", action="store_true", help="begin each line of output with the rank that says it")
    add("-n", "--noinput", action="store_true", help="give it no input")
    add("-q", "--quiet", action="store_true", help="do not say which ranks failed")
    add("-v", "--verbose", action="store_true", help="say what is done")
    add("--bg", action="store_true", help="let it run in the background: print its ranks and pids and do not wait")
    add("--waitable", action="store_true", help="with --bg, keep its exit status until somebody waits for it")
    add("--label", metavar="LABEL", help="a name to find it by, besides its pid")
    add(
        "--attach", action="store_true", help="COMMAND is the pid or label of what runs in the background: listen to it"
    )
    add("--service", metavar="NAME", default="rexec", help=SUPPRESS)
    add("--setopt", metavar="NAME=VALUE", action="append", default=[], help=SUPPRESS)
    add("command", nargs=REMAINDER, metavar="COMMAND ...", help="what to run")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux exec`."""
    made = parser()
    args = made.parse_args(argv)
    args.command = args.command[1:] if args.command[:1] == ["--"] else args.command
    _check(made, args)
    from flux.core.handle import Flux

    with Flux() as h:
        size = int(h.attr_get("size"))
        targets = _targets(args, size)
        if targets.last() >= size:
            _complain(f"ranks {args.rank}: this instance has ranks 0-{size - 1} only")
            return EX_NOHOST
        if args.bg:
            return _background(h, args, targets)
        try:
            return _Exec(h, args, targets).run()
        except BrokenPipeError:  # nobody reads our output: as for anybody whom SIGPIPE ends
            return 128 + signal.SIGPIPE


def _check(made: ArgumentParser, args: Namespace) -> None:
    if not args.command:
        made.error("a pid or label is required" if args.attach else "a command is required")
    if args.attach and len(args.command) > 1:
        made.error("--attach takes one pid or label")
    if args.attach and (args.bg or args.waitable):
        made.error("--attach does not go with --bg or --waitable")
    if args.waitable and not args.bg:
        made.error("--waitable can only be used with --bg")
    if args.label == "":
        made.error("--label must not be empty")


def _targets(args: Namespace, size: int) -> IDset:
    targets = IDset(range(size)) if args.rank == "all" else _idset("--rank", args.rank)
    targets = targets.difference(_idset("--exclude", args.exclude))
    if not targets:
        raise OSError(EINVAL, "no ranks are left to run on")
    return targets


def _idset(option: str, text: str) -> IDset:
    try:
        return IDset(text)
    except ValueError as error:
        raise OSError(EINVAL, f"{option}: {error}") from None


def _command(args: Namespace) -> dict[str, Any]:
    """The command object. Lines are put together here, so that the brokers may send output as it comes."""
    opts = {"stdout_LINE_BUFFER": "false", "stderr_LINE_BUFFER": "false"} if not args.bg else {}
    for text in args.setopt:
        name, equals, value = text.partition("=")
        if not equals:
            raise OSError(EINVAL, f"--setopt: {text}: not NAME=VALUE")
        opts[name] = value
    env = {name: value for name, value in os.environ.items() if name != "FLUX_PROXY_REMOTE"}
    env.setdefault("DBUS_SESSION_BUS_ADDRESS", f"unix:path=/run/user/{os.getuid()}/bus")
    cwd = "" if args.dir == "none" else args.dir
    return command_create(args.command, args.label, cwd, env, opts)


def _background(h: "Flux", args: Namespace, targets: IDset) -> int:
    """Starts it everywhere, prints where it runs."""
    payload = {"cmd": _command(args), "flags": 16 if args.waitable else 0}
    code = 0
    for rank, rpc in [(rank, h.rpc(f"{args.service}.exec", payload, rank)) for rank in targets]:
        try:
            print(f"{rank}: {rpc.get()['pid']}", flush=True)
        except OSError as error:
            _complain(f"Error: rank {rank}: {args.command[0]}: {error.strerror}")
            code = 1
    return code


class _Exec:
    """One command on many ranks: its input goes to all, its output comes from all. The Listener of each Remote."""

    def __init__(self, h: "Flux", args: Namespace, targets: IDset) -> None:
        self._h, self._args, self._targets = h, args, targets
        self._began = monotonic()
        self._code = 0
        self._failures: dict[str, IDset] = defaultdict(IDset)
        """Who did not end with 0, by how they ended."""
        self._remotes = [Remote(h, rank, self, args.service) for rank in targets]
        self._running = len(self._remotes)
        self._lines: dict[tuple[int, str], Lines | Chunks] = {}
        self._whole = args.label_io or self._running > 1
        """Whether output has to be in whole lines."""
        self._input = _Input(h, self._remotes)
        self._interrupts: list[float] = []
        self._what = args.command[0]

    def run(self) -> int:
        """Runs it to the end of the last one; returns the exit code."""
        self._note(f"Starting {self._what} on {_text(self._targets)}")
        self._start()
        self._note("Sent all requests")
        for signum in (signal.SIGINT, signal.SIGTERM):
            self._h.signal_watcher_create(signum, self._signalled).unref().start()
        self._h.reactor_run()
        done = len(self._remotes) - self._running
        self._note(f"{done} tasks complete with code {self._code}")
        if not self._args.quiet:
            for how, ranks in self._failures.items():
                _say(f"{_text(ranks)}: {how}\n")
        return self._code

    def _start(self) -> None:
        if self._args.attach:
            pid, label = _pid_or_label(self._args.command[0])
            if pid > 0 and self._running > 1:
                raise OSError(EINVAL, "--attach by pid requires a single target rank (use --rank)")
            self._what = f"pid {pid}" if label is None else f"label {label}"
            for remote in self._remotes:
                remote.attach(pid, label)
            return
        command = _command(self._args)
        window = max(UNDER_WAY // self._running, CHUNK // 4)
        for remote in self._remotes:
            remote.run(command, window=window)
            if self._args.noinput:
                remote.write("stdin", b"")
        if not self._args.noinput:
            self._input.open()

    # -- what the remotes tell --------------------------------------------------------------------------------------

    def started(self, remote: Remote) -> None:
        """It runs."""
        self._input.check()

    def credit(self, remote: Remote, stream: str, count: int) -> None:
        """It takes more input."""
        if stream == "stdin":
            self._input.credit(remote, count)

    def output(self, remote: Remote, stream: str, data: bytes) -> None:
        """It says something."""
        key = remote.rank, stream
        if key not in self._lines:
            self._lines[key] = Lines(LONGEST_LINE) if self._whole else Chunks()
        pieces = self._lines[key].feed(data)
        if self._args.label_io:
            pieces = [b"%d: %s" % (remote.rank, piece) for piece in pieces if piece]
        _write(2 if stream == "stderr" else 1, b"".join(pieces))

    def ended(self, remote: Remote) -> None:
        """It is over."""
        self._running -= 1
        if remote.error is not None:
            code = EXIT_CODES.get(remote.error.errno or 0, 1)
            _complain(f"Error: rank {remote.rank}: {self._what}: {remote.error.strerror}")
        else:
            code = os.waitstatus_to_exitcode(remote.status or 0)
            if code:
                how = f"Exit {code}" if code > 0 else signal.strsignal(-code) or f"Signal {-code}"
                self._failures[how].set(remote.rank)
            code = 128 - code if code < 0 else code
        self._code = max(self._code, code)
        self._input.check()

    # -- signals ----------------------------------------------------------------------------------------------------

    def _signalled(self, h: "Flux", watcher: Any, signum: int, args: Any) -> None:
        if signum == signal.SIGINT:
            if self._args.attach:
                _say(f"detached; use 'flux sproc kill {self._args.command[0]}' to signal it\n")
                self._h.reactor_stop()
                return
            if self._insists():
                return
        self._note(f"sending signal {int(signum)} to {self._running} running processes")
        for remote in self._remotes:
            remote.kill(signum)

    def _insists(self) -> bool:
        """Whether this Ctrl-C, after others that did not help, is meant for us: then we leave."""
        now = monotonic()
        before, self._interrupts = self._interrupts, [*self._interrupts, now]
        if len(before) >= 2 and now - before[-1] < IMPATIENCE:
            left = IDset([remote.rank for remote in self._remotes if not remote.over])
            _say(f"{_text(left)}: command still running at exit\n")
            self._code = 1
            self._h.reactor_stop()
            return True
        if before:
            _say(f"interrupt (Ctrl+C) one more time within {IMPATIENCE:.2f} sec to exit\n")
        return False

    def _note(self, text: str) -> None:
        if self._args.verbose:
            _say(f"{(monotonic() - self._began) * 1000:.3f}ms: {text}\n")


class _Input:
    """Our standard input, for all who run: as much as the slowest of them takes."""

    def __init__(self, h: "Flux", remotes: list[Remote]) -> None:
        self._remotes = remotes
        self._room = dict.fromkeys(remotes, 0)
        self._watcher = h.fd_watcher_create(0, self._readable, FLUX_POLLIN)
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

    def _readers(self) -> Iterable[Remote]:
        return [remote for remote in self._remotes if remote.status is None and not remote.over]

    def _readable(self, h: "Flux", watcher: Any, fd: int, revents: int, args: Any) -> None:
        try:
            data = os.read(0, min(self._most(), CHUNK))
        except BlockingIOError:
            return
        except OSError:  # it is closed, or a terminal that has gone
            data = b""
        for remote in self._readers():
            remote.write("stdin", data)
            self._room[remote] -= len(data)
        self._open = bool(data)
        self.check()


def _pid_or_label(text: str) -> tuple[int, str | None]:
    if text.isascii() and text.isdecimal() and 0 < int(text) < 1 << 31:
        return int(text), None
    return -1, text


def _text(ranks: IDset) -> str:
    return ranks.encode(BRACKETS | RANGE)


def _say(text: str) -> None:
    _write(2, text.encode(errors="surrogateescape"))


def _complain(text: str) -> None:
    _say(f"flux-exec: {text}\n")


def _write(fd: int, data: bytes) -> None:
    """Writes all, also to who has made our output non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            from select import POLLOUT, poll

            ready = poll()
            ready.register(fd, POLLOUT)
            ready.poll()
