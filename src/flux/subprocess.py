"""Processes on the brokers of an instance (RFC 42), under the names of today's `flux.subprocess`."""

import os
from collections.abc import Sequence
from errno import ENOTSUP
from typing import TYPE_CHECKING, Any, NamedTuple

from flux.base.iodata import decode
from flux.constants import FLUX_NODEID_ANY
from flux.core.remote import WAITABLE, apart, command_create, target
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

__all__ = ["Subprocess", "command_create", "kill", "list", "rexec_bg", "wait"]


class SubprocessBackgroundRexecRPC(RPC):
    """The answer to `rexec_bg`."""

    rank = 0

    def get_pid(self) -> int:
        """Waits for the process id."""
        return int(self.get()["pid"])

    def get_rank(self) -> int:
        """The rank that it runs on."""
        return self.rank


class SubprocessWaitRPC(RPC):
    """The answer to `wait`."""

    def get_status(self) -> int:
        """Waits for the wait status (os.waitstatus_to_exitcode)."""
        return int(self.get()["status"])

    def get_output(self) -> Sequence[dict[str, Any]]:
        """Waits for the last output that the server has kept, as objects of RFC 24; maybe none."""
        output: Sequence[dict[str, Any]] = self.get().get("output", [])
        return output

    @property
    def stdout(self) -> bytes:
        """What the server has kept of stdout."""
        return self._stream("stdout")

    @property
    def stderr(self) -> bytes:
        """What the server has kept of stderr."""
        return self._stream("stderr")

    def _stream(self, stream: str) -> bytes:
        return b"".join(piece.data for piece in map(decode, self.get_output()) if piece.stream == stream)


class Subprocess(NamedTuple):
    """One process of a list; `state` is R (running) or Z (to be waited for), `label` is - if it has none."""

    pid: int
    rank: int
    state: str
    label: str
    cmd: str


class SubprocessListRPC(RPC):
    """The answer to `list`."""

    def get_processes(self) -> Sequence[Subprocess]:
        """Waits for the processes."""
        answer = self.get()
        return [
            Subprocess(entry["pid"], answer["rank"], entry["state"], entry["label"] or "-", entry["cmd"])
            for entry in answer["procs"]
        ]


def rexec_bg(
    handle: "Flux",
    command: Sequence[str],
    cwd: str | None = None,
    env: dict[str, str] | None = None,
    label: str | None = None,
    waitable: bool = False,
    service: str = "rexec",
    nodeid: int = FLUX_NODEID_ANY,
    sign: bool | None = None,
) -> SubprocessBackgroundRexecRPC:
    """Starts a command on rank `nodeid`, to run on without us. Its output goes to the broker's log.

    A `waitable` process stays known after its end until somebody calls `wait`. Its environment is ours, without what
    names the job whose task we are, unless another one is given.
    """
    _refuse_signing(sign)
    flags = WAITABLE if waitable else 0
    env = apart(os.environ) if env is None else env
    payload = {"cmd": command_create([*command], label, cwd, env), "flags": flags}
    rpc = SubprocessBackgroundRexecRPC(handle, f"{service}.exec", payload, int(nodeid))
    rpc.rank = handle.get_rank() if nodeid == FLUX_NODEID_ANY else int(nodeid)
    return rpc


def kill(
    handle: "Flux",
    signum: int = 15,
    pid: int | None = None,
    label: str | None = None,
    service: str = "rexec",
    nodeid: int = FLUX_NODEID_ANY,
    sign: bool | None = None,
) -> RPC:
    """Sends a signal to a process, named by pid or by label. OSError(ESRCH) if there is none."""
    _refuse_signing(sign)
    return handle.rpc(f"{service}.kill", _one(pid, label) | {"signum": int(signum)}, int(nodeid))


def wait(
    handle: "Flux",
    pid: int | None = None,
    label: str | None = None,
    service: str = "rexec",
    nodeid: int = FLUX_NODEID_ANY,
    sign: bool | None = None,
) -> SubprocessWaitRPC:
    """Waits for the end of a waitable process, named by pid or by label, and lets the server forget it."""
    _refuse_signing(sign)
    return SubprocessWaitRPC(handle, f"{service}.wait", _one(pid, label), int(nodeid))


def list(
    handle: "Flux", service: str = "rexec", nodeid: int = FLUX_NODEID_ANY, sign: bool | None = None
) -> SubprocessListRPC:
    """Asks which processes a rank has."""
    _refuse_signing(sign)
    return SubprocessListRPC(handle, f"{service}.list", {}, int(nodeid))


def _one(pid: int | None, label: str | None) -> dict[str, Any]:
    if (pid is None) == (label is None):
        raise ValueError("exactly one of pid and label must be given")
    return target(-1 if pid is None else int(pid), label)


def _refuse_signing(sign: bool | None) -> None:
    if sign:
        raise OSError(ENOTSUP, "signed requests are not supported")
