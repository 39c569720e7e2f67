"""Our stdin for the tasks of a job: read as fast as they take it, and sent to the job's shell (flux-job(1), attach)."""

import os
import signal
from contextlib import suppress
from typing import Any

from flux.base.iodata import encode
from flux.constants import FLUX_POLLIN
from flux.core.handle import Flux
from flux.rpc import RPC

CHUNK = 1 << 16
AHEAD = 1 << 18
"""Bytes that may be under way."""


class Stdin:
    """Reads until the end, or until the job takes no more."""

    def __init__(self, handle: Flux, service: str, rank: int) -> None:
        self._handle, self._topic, self._rank = handle, f"{service}.stdin", rank
        self._under_way = 0
        self._ended = False
        # In the background, reading the terminal is an error that we see, not a signal that stops us.
        signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        self._reader = handle.fd_watcher_create(0, lambda *_: self._read(), FLUX_POLLIN)
        self._reader.start()

    def stop(self) -> None:
        """Reads no more."""
        if not self._ended:
            self._ended = True
            self._reader.stop()

    def _read(self) -> None:
        data = b""
        with suppress(OSError):  # no stdin at all, or a terminal that is not ours
            try:
                data = os.read(0, CHUNK)
            except BlockingIOError:
                return
        self._under_way += len(data)
        io = encode("stdin", "all", data)
        RPC(self._handle, self._topic, io, nodeid=self._rank).then(lambda rpc: self._taken(rpc, len(data)))
        if not data:
            self.stop()
        elif self._under_way >= AHEAD:
            self._reader.stop()

    def _taken(self, rpc: Any, size: int) -> None:
        try:
            rpc.get()
        except OSError:  # its tasks have ended
            self.stop()
            return
        was_full = self._under_way >= AHEAD
        self._under_way -= size
        if was_full and self._under_way < AHEAD and not self._ended:
            self._reader.start()
