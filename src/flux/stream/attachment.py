"""Being with a program whose stdio are streams: its output comes here, what is typed here goes to it."""

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from flux.base.streamlog import Said
from flux.constants import FLUX_KVS_TREEOBJ, FLUX_KVS_WAITCREATE
from flux.kvs.reading import exists, get_key_direct
from flux.kvs.watch import watch_rpc
from flux.stream.feeder import Feeder
from flux.stream.places import EXIT_CODE, INPUT, OUTPUT
from flux.stream.reading import Reading
from flux.stream.source import Source
from flux.stream.writer import Writer

if TYPE_CHECKING:
    from flux.core.handle import Flux


class Attachment:
    """Shows what comes in `name`.output until that has ended, and writes what comes on our stdin to `name`.input."""

    def __init__(
        self, flux_handle: "Flux", name: str, namespace: str | None, show: Callable[[Said], None], *, wait: bool = False
    ) -> None:
        self._handle, self._name, self._namespace, self._show = flux_handle, name, namespace, show
        if wait:
            watch_rpc(flux_handle, name + OUTPUT, FLUX_KVS_WAITCREATE | FLUX_KVS_TREEOBJ, namespace).get()
        self._reading = Reading(name + OUTPUT, namespace, follow=True, wait=False, tail=None)
        self._input: Feeder | None = None
        self._error: OSError | None = None

    @property
    def remarks(self) -> list[str]:
        """What is missing in its output."""
        return self._reading.fold.remarks

    def run(self, feed: bool = True) -> int:
        """Returns its exit code, 0 if that is not known. Without `feed` our stdin is not for it."""
        if feed and exists(self._handle, self._name + INPUT, self._namespace):
            self._open_input()
        Source(self._handle, self._reading, self._said, self._ended)
        self._handle.reactor_run()
        if self._input is not None:
            self._input.stop()
        if self._error is not None:
            raise self._error
        with suppress(FileNotFoundError):
            return int(get_key_direct(self._handle, self._name + EXIT_CODE, self._namespace))
        return 0

    def _open_input(self) -> None:
        """Begins to read our stdin, unless its input has ended."""
        with suppress(FileExistsError):
            writer = Writer(self._handle, self._name + INPUT, "a", namespace=self._namespace, streams=("stdin",))
            # In the background, reading the terminal is an error that we see, not a signal that stops us.
            signal.signal(signal.SIGTTIN, signal.SIG_IGN)
            self._input = Feeder(self._handle, 0, writer)

    def _said(self, said: Said) -> bool:
        self._show(said)
        return True

    def _ended(self, error: OSError | None) -> None:
        self._error = error
        self._handle.reactor_stop()
