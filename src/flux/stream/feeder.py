"""What comes on a descriptor of ours goes into a stream."""

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from flux.constants import FLUX_POLLIN
from flux.stream.writer import Writer

if TYPE_CHECKING:
    from flux.core.handle import Flux

CHUNK = 1 << 16


class Feeder:
    """Writes what comes on `fd` in the reactor of a handle, which it does not keep going; at its end, the writer's."""

    def __init__(self, flux_handle: "Flux", fd: int, writer: Writer) -> None:
        self._fd, self._writer = fd, writer
        self._watcher = flux_handle.fd_watcher_create(fd, lambda *_: self._read(), FLUX_POLLIN)
        self._watcher.unref().start()

    def _read(self) -> None:
        data = b""
        with suppress(OSError):  # nothing open there, or a terminal that is not ours
            try:
                data = os.read(self._fd, CHUNK)
            except BlockingIOError:
                return
        if data:
            self._writer.write(data)
        else:
            self._watcher.stop()
            self._writer.close()

    def stop(self) -> None:
        """Reads no more. The stream goes on, unless what was read has come to its end."""
        self._watcher.stop()
        self._writer.close(end=False)
