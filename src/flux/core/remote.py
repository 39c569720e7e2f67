"""A process on some rank of the instance, heard of as it runs (RFC 42)."""

import os
from collections import defaultdict
from collections.abc import Mapping
from errno import EILSEQ, ENODATA, EPROTO
from typing import TYPE_CHECKING, Any, Protocol

from flux.base.iodata import decode, encode
from flux.constants import FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.rpc import RPC
from flux.runtime.directory import current

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.future import Future

STDOUT, STDERR, CHANNEL, WRITE_CREDIT, WAITABLE = 1, 2, 4, 8, 16
"""Flags of RFC 42: which output to forward, whether to say how much may be written, whether to keep the status."""

OF_A_JOB = ("FLUX_JOB_", "FLUX_TASK_", "PMI_")
"""How variables begin that are for the tasks of a job alone."""


def command_create(
    command: list[str],
    label: str | None = None,
    cwd: str | None = None,
    env: dict[str, str] | None = None,
    opts: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Makes a command object (RFC 42); directory and environment are this process's own unless given.

    Variables that are not text are left out: a command object has no way to carry them. For arguments and directory
    that are not, OSError(EILSEQ).
    """
    cwd = current() if cwd is None else cwd
    for word in (*command, cwd):
        if not _is_text(word):
            raise OSError(EILSEQ, f"{word!a}: not UTF-8")
    made: dict[str, Any] = {
        "cmdline": command,
        "cwd": cwd,
        "env": {name: value for name, value in (os.environ if env is None else env).items() if _is_text(name + value)},
        "opts": opts or {},
        "channels": [],
    }
    if label is not None:
        made["label"] = label
    return made


def apart(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of what may outlive the job whose task we are: whoever carries the job's id ends with it."""
    return {name: value for name, value in env.items() if not name.startswith(OF_A_JOB)}


class Listener(Protocol):
    """Who hears what a Remote does. Called by the handle's reactor."""

    def started(self, remote: "Remote") -> None: ...  # it runs: `pid` is known
    def output(self, remote: "Remote", stream: str, data: bytes) -> None: ...  # b"" is the end of the stream
    def credit(self, remote: "Remote", stream: str, count: int) -> None: ...  # so many bytes more may be written
    def ended(self, remote: "Remote") -> None: ...  # with `status`, or with `error`; the last call


class Remote:
    """A process on one rank that this program hears of; it is killed when the handle is closed, unless attached to."""

    def __init__(self, handle: "Flux", rank: int, listener: Listener, service: str = "rexec") -> None:
        self.rank = rank
        self.pid = 0
        self.status: int | None = None
        """The wait status, once it has exited."""
        self.error: OSError | None = None
        """Why it could not be started, or why no more is known of it."""
        self.over = False
        """Whether `ended` was called."""
        self._handle, self._listener, self._service = handle, listener, service
        self._signals: list[int] = []
        self._window = 0
        self._unsaid: dict[str, int] = defaultdict(int)
        """Bytes of output that the server does not know to be dealt with."""
        self._rpc: RPC | None = None
        self._address: dict[str, Any] = {}
        """How the server knows it: by our request, or by a key."""

    def run(
        self,
        command: dict[str, Any],
        flags: int = STDOUT | STDERR | WRITE_CREDIT,
        local_flags: int = 0,
        window: int = 1 << 20,
    ) -> None:
        """Starts a command. Of each stream, `window` bytes of output may be under way before the process has to wait.

        RFC 42 has no such limit; servers other than ours ignore it, and 0 is none.
        """
        self._window = window
        self._ask("exec", {"cmd": windowed(command, window), "flags": flags, "local_flags": local_flags})

    def join(self, key: str, window: int) -> None:
        """Somebody else has it started under that key, and tells what comes of it (`hear`, `end`)."""
        self._address, self._window = {"key": key}, window

    def attach(self, pid: int = -1, label: str | None = None, flags: int = STDOUT | STDERR) -> None:
        """Listens to a process that runs in the background."""
        self._ask("attach", target(pid, label) | {"flags": flags})

    def write(self, stream: str, data: bytes) -> None:
        """Writes to its stdin, or to a channel; b"" ends the stream."""
        if not self.over:
            io = encode(stream, "0", data)
            self._tell("write", self._address | {"io": io})

    def kill(self, signum: int) -> None:
        """Signals its process group, at once or when it has started."""
        if not self.pid:
            self._signals.append(signum)
        elif self.status is None:
            self._tell("kill", {"pid": self.pid, "signum": signum})

    def _ask(self, method: str, payload: dict[str, Any]) -> None:
        self._rpc = self._handle.rpc(f"{self._service}.{method}", payload, self.rank, FLUX_RPC_STREAMING)
        self._address = {"matchtag": self._rpc.matchtag}
        self._rpc.then(self._answered)

    def _tell(self, method: str, payload: dict[str, Any]) -> None:
        self._handle.rpc(f"{self._service}.{method}", payload, self.rank, FLUX_RPC_NORESPONSE)

    def _answered(self, future: "Future") -> None:
        try:
            answer = future.get()
        except OSError as error:
            self.end(error)
        else:
            future.reset()
            self.hear(answer)

    def hear(self, answer: Any) -> None:
        """The server says something."""
        match answer:
            case {"type": "started" | "attached", "pid": int(pid)}:
                self.pid = pid
                self._listener.started(self)
                for signum in self._signals:
                    self.kill(signum)
            case {"type": "output", "io": dict(io)}:
                self._output(io)
            case {"type": "add-credit", "channels": dict(channels)}:
                for stream, count in channels.items():
                    self._listener.credit(self, stream, count)
            case {"type": "finished", "status": int(status)}:
                self.status = status
            case {"type": "stopped"}:
                pass
            case _:
                self.end(OSError(EPROTO, "the server's answer makes no sense"))

    def _output(self, io: dict[str, Any]) -> None:
        try:
            piece = decode(io)
        except OSError as error:
            self.end(error)
            return
        if piece.data:
            self._listener.output(self, piece.stream, piece.data)
            self._acknowledge(piece.stream, len(piece.data))
        if piece.end:
            self._listener.output(self, piece.stream, b"")

    def _acknowledge(self, stream: str, count: int) -> None:
        """Lets more output come, now that the listener has dealt with so much."""
        self._unsaid[stream] += count
        if self._window and self._unsaid[stream] >= self._window // 2:
            self._tell("credit", self._address | {"channels": {stream: self._unsaid.pop(stream)}})

    def end(self, error: OSError) -> None:
        """Nothing more comes; ENODATA is the proper end."""
        if self.over:
            return
        self.over = True
        if self._rpc is not None:
            self._rpc.forget()
        if error.errno != ENODATA:
            self.error = error
        elif self.status is None:
            self.error = OSError(EPROTO, "the server does not say how it ended")
        self._listener.ended(self)


def windowed(command: dict[str, Any], window: int) -> dict[str, Any]:
    """A command object of whose streams only so many bytes may be under way; 0 is no limit."""
    streams = ("stdout", "stderr", *command["channels"]) if window else ()
    return command | {"opts": {f"{stream}_WINDOW": str(window) for stream in streams} | command["opts"]}


def target(pid: int, label: str | None) -> dict[str, Any]:
    """How a request names a process: by its label if there is one."""
    return {"pid": pid} if label is None else {"pid": -1, "label": label}


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
