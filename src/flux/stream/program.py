"""A program whose stdin, stdout and stderr are streams."""

import signal
from errno import EACCES, ENOENT, EPERM
from typing import TYPE_CHECKING, Any

from flux.base import waitstatus
from flux.base.streamlog import Said
from flux.core.remote import Remote
from flux.kvs.writing import KVSTxn
from flux.stream.feeder import Feeder
from flux.stream.places import EXIT_CODE, INPUT, OUTPUT
from flux.stream.reading import Reading
from flux.stream.source import Source
from flux.stream.writer import Writer

if TYPE_CHECKING:
    from flux.core.handle import Flux


class Program:
    """Runs by way of the broker, and writes to `name`.output; what is written to `name`.input is its stdin."""

    def __init__(
        self,
        flux_handle: "Flux",
        name: str,
        mode: str,
        namespace: str | None,
        *,
        feed: bool = True,
        source: int | None = None,
    ) -> None:
        """`mode` is that of a Writer; without `feed` its stdin is empty; `source` is a descriptor it is read from."""
        self._handle, self._name, self._namespace = flux_handle, name, namespace
        self._source: Source | None = None
        self._room, self._taken = 0, 0
        self._feed = feed
        if feed:  # first, for who sees the output wants to know where input goes
            writer = Writer(flux_handle, name + INPUT, mode, namespace=namespace, streams=("stdin",))
            if source is None:
                writer.close(end=False)
        try:
            self._output = Writer(flux_handle, name + OUTPUT, mode, namespace=namespace, streams=("stdout", "stderr"))
        except OSError:
            if feed:
                self._remove_input()
            raise
        self._feeder = Feeder(flux_handle, source, writer) if feed and source is not None else None

    def _remove_input(self) -> None:
        with KVSTxn(self._handle, namespace=self._namespace) as txn:
            txn.unlink(self._name + INPUT)

    def run(self, command: dict[str, Any], rank: int) -> Remote:
        """Runs a command object to its end; its streams have ended then."""
        self._remote = remote = Remote(self._handle, rank, self)
        remote.run(command)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._handle.signal_watcher_create(signum, lambda h, w, number, args: remote.kill(number)).unref().start()
        self._handle.reactor_run()
        if self._source is not None:
            self._source.close()
        if self._feeder is not None:
            self._feeder.stop()
        with KVSTxn(self._handle, namespace=self._namespace) as txn:
            txn.put(self._name + EXIT_CODE, exit_code(remote))
        self._output.close()
        return remote

    # -- what is heard of it ----------------------------------------------------------------------------------------

    def started(self, remote: Remote) -> None:
        """It runs, and can be given its input."""
        if not self._feed:
            remote.write("stdin", b"")
            return
        reading = Reading(self._name + INPUT, self._namespace, follow=True, wait=False, tail=None)
        self._source = Source(self._handle, reading, self._said, self._no_input)

    def output(self, remote: Remote, stream: str, data: bytes) -> None:
        """It has written. While this waits, it has to wait as well."""
        if data:
            self._output.write(data, stream)
        else:
            self._output.end(stream)

    def credit(self, remote: Remote, stream: str, count: int) -> None:
        """It can take more input."""
        self._room += count
        if self._source is not None:
            self._source.more()

    def ended(self, remote: Remote) -> None:
        """It is over."""
        self._handle.reactor_stop()

    # -- its input --------------------------------------------------------------------------------------------------

    def _said(self, said: Said) -> bool:
        data = said.data[self._taken : self._taken + self._room]
        if data:
            self._remote.write("stdin", data)
            self._room -= len(data)
            self._taken += len(data)
        if self._taken < len(said.data):
            return False
        self._taken = 0
        return True

    def _no_input(self, error: OSError | None) -> None:
        """Its input has ended, or cannot be read any more."""
        self._source = None
        self._remote.write("stdin", b"")


def exit_code(remote: Remote) -> int:
    """What a shell would say; 127 and 126 for what could not be started."""
    if remote.status is not None:
        return waitstatus.exit_code(remote.status)
    return _FAILED.get(remote.error.errno or 0, 1) if remote.error is not None else 1


_FAILED = {ENOENT: 127, EACCES: 126, EPERM: 126}
