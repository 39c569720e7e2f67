"""How a crowd of processes is started and reached: each by requests of its own, or all by one down the tree."""

import os
from collections.abc import Collection, Sequence
from errno import ENODATA, ENOSYS, EPROTO
from typing import TYPE_CHECKING, Any

from flux.base.gathered import TOPIC, Gathered, question
from flux.base.iodata import encode
from flux.constants import FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.core.remote import STDERR, STDOUT, WRITE_CREDIT, Remote, windowed

if TYPE_CHECKING:
    from flux.core.handle import Flux
    from flux.future import Future

SERVICE = "rexec"
"""The service whose processes have keys."""


class Singly:
    """A request for each process."""

    def __init__(self, remotes: Sequence[Remote]) -> None:
        self._remotes = remotes

    def run(self, command: dict[str, Any], window: int) -> None:
        """Starts the command everywhere."""
        for remote in self._remotes:
            remote.run(command, window=window)

    def write(self, remotes: Collection[Remote], stream: str, data: bytes) -> None:
        """Writes to a stream of some of them; b"" ends it."""
        for remote in remotes:
            remote.write(stream, data)

    def kill(self, signum: int) -> None:
        """Signals all of them."""
        for remote in self._remotes:
            remote.kill(signum)


class Cast:
    """One request for all processes. They share a key, by which they are found: a multicast has its own matchtags."""

    def __init__(self, handle: "Flux", remotes: Sequence[Remote]) -> None:
        self._handle = handle
        self._remotes = {remote.rank: remote for remote in remotes}
        self._key = os.urandom(16).hex()

    def run(self, command: dict[str, Any], window: int) -> None:
        """Starts the command everywhere."""
        for remote in self._remotes.values():
            remote.join(self._key, window)
        flags = STDOUT | STDERR | WRITE_CREDIT
        payload = {"cmd": windowed(command, window), "flags": flags, "local_flags": 0, "key": self._key}
        asked = question(f"{SERVICE}.exec", payload, self._remotes)
        self._rpc = self._handle.rpc(TOPIC, asked, flags=FLUX_RPC_STREAMING)
        self._rpc.then(self._answered)

    def write(self, remotes: Collection[Remote], stream: str, data: bytes) -> None:
        """Writes to a stream of some of them; b"" ends it."""
        self._tell(remotes, "write", {"io": encode(stream, "0", data)})

    def kill(self, signum: int) -> None:
        """Signals all of them, those that have not begun yet as soon as they have."""
        self._tell(self._remotes.values(), "kill", {"signum": signum})

    def _tell(self, remotes: Collection[Remote], method: str, payload: dict[str, Any]) -> None:
        ranks = [remote.rank for remote in remotes if not remote.over]
        if ranks:
            asked = question(f"{SERVICE}.{method}", payload | {"key": self._key}, ranks)
            self._handle.rpc(TOPIC, asked, flags=FLUX_RPC_NORESPONSE)

    def _answered(self, future: "Future") -> None:
        try:
            found = Gathered.read(future.get())
        except OSError as error:
            self._rpc.forget()
            self._end(error)
        else:
            future.reset()
            self._heard(found)

    def _heard(self, found: Gathered) -> None:
        for ranks, answer in found.answers:
            for rank in ranks:
                self._remotes[rank].hear(answer)
        for ranks, errnum, text in found.errors:
            for rank in ranks:
                self._remotes[rank].end(OSError(errnum, text))
        for rank in found.ended:
            self._remotes[rank].end(OSError(ENODATA, "the stream has ended"))

    def _end(self, error: OSError) -> None:
        """Nothing more comes: what nobody has told the end of has none that is known."""
        if error.errno == ENODATA:
            error = OSError(EPROTO, "the broker does not say how it ended")
        for remote in self._remotes.values():
            remote.end(error)


def way(handle: "Flux", remotes: Sequence[Remote], service: str) -> Singly | Cast:
    """How to reach them best: by one request, where there are several and the broker can (flux-core's cannot)."""
    if len(remotes) < 2 or service != SERVICE:
        return Singly(remotes)
    try:
        handle.rpc("multicast.ping", {}).get()
    except OSError as error:
        if error.errno != ENOSYS:
            raise
        return Singly(remotes)
    return Cast(handle, remotes)
