"""One job that `wreck` runs for us, as callbacks."""

from errno import ENODATA
from typing import TYPE_CHECKING, Any, Protocol

from flux.base.iodata import decode, encode
from flux.base.waitstatus import exit_code
from flux.constants import FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

ACKNOWLEDGE_AFTER = 1 << 15
"""Bytes of output after which the nodes hear that we have it; no node's window is smaller."""


class Watcher(Protocol):
    """Who is told what becomes of a job."""

    def accepted(self, id: int, taskmap: dict[str, Any], ranks: list[int]) -> None: ...  # RFC 34
    def output(self, task: int, stream: str, data: bytes) -> None: ...  # b"" is the end
    def granted(self, count: int) -> None: ...  # bytes of stdin that may be written besides
    def failed(self, note: str) -> None: ...  # the job cannot go on; `finished` follows
    def lost(self, note: str, tasks: str) -> None: ...  # some tasks (RFC 22) are gone with their broker, others go on
    def finished(self, code: int, exits: dict[str, str]) -> None: ...  # task ids by wait status


class Run:
    """A job from its request to its end. Closing the handle, or losing it, kills the job."""

    def __init__(self, handle: "Flux", watcher: Watcher, job: dict[str, Any]) -> None:
        """`job` is what `wreck.run` takes: command, environment, cwd, ntasks, ranks, unbuffered."""
        self._handle, self._watcher = handle, watcher
        self.id = 0
        self._unread = 0
        self._numbers: dict[str, int] = {}
        self._rpc = RPC(handle, "wreck.run", job, flags=FLUX_RPC_STREAMING)
        self._rpc.then(self._answered)

    def write(self, data: bytes) -> None:
        """Passes data to the stdin of all tasks, b"" for its end. Wait until it is granted."""
        self._notify("wreck.write", {"io": encode("stdin", "all", data)})

    def kill(self, signum: int) -> None:
        """Signals all tasks."""
        self._notify("wreck.kill", {"signum": signum})

    def _answered(self, rpc: RPC) -> None:
        try:
            answer = rpc.get()
        except OSError as error:
            if error.errno != ENODATA:
                raise
            return
        self.id = answer["id"]
        heard = _HEARD.get(answer["type"])
        if heard is not None:
            heard(self, answer["data"])
        rpc.reset()

    def _accept(self, data: dict[str, Any]) -> None:
        self._watcher.accepted(self.id, data["taskmap"], data["ranks"])

    def _output(self, data: dict[str, Any]) -> None:
        piece = decode(data["io"])
        self._watcher.output(int(data["io"]["rank"]), piece.stream, piece.data)
        self._unread += len(piece.data)
        self._numbers[str(data["node"])] = data["seq"]
        if self._unread >= ACKNOWLEDGE_AFTER:
            self._notify("wreck.ack", {"seq": self._numbers})
            self._unread, self._numbers = 0, {}

    def _grant(self, data: dict[str, Any]) -> None:
        self._watcher.granted(data["channels"]["stdin"])

    def _fail(self, data: dict[str, Any]) -> None:
        if data["severity"]:
            self._watcher.lost(data["note"], data["tasks"])
        else:
            self._watcher.failed(data["note"])

    def _finish(self, data: dict[str, Any]) -> None:
        self._watcher.finished(exit_code(data["status"]), data["exits"])

    def _notify(self, topic: str, data: dict[str, Any]) -> None:
        RPC(self._handle, topic, {"id": self.id, **data}, flags=FLUX_RPC_NORESPONSE)


_HEARD = {
    "accept": Run._accept,
    "output": Run._output,
    "add-credit": Run._grant,
    "exception": Run._fail,
    "finish": Run._finish,
}
