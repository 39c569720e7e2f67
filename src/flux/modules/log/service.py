"""`log`: a ring of records on every broker, shown by dmesg; what is grave goes to rank 0 (RFC 5424 records)."""

from collections.abc import Callable, Iterator
from errno import EINVAL
from functools import partial
from typing import Any, ClassVar

from flux.base.logline import LONGEST, LogLine, cut, read_logline
from flux.modules.log import ring
from flux.modules.log.levels import LEVELS, Levels
from flux.modules.log.outbox import Batch, Inbox, Outbox
from flux.service import ALL, LATER, Call, Later, Service, request
from flux.wire.message import Response

AGAIN = 1.0
"""Seconds after which what did not get through is sent again."""


class Log(Service):
    """Keeps records, hands them on by their severity, and shows them."""

    name: ClassVar[str] = "log"

    async def start(self) -> None:
        """Reads its attributes, and follows them."""
        self._ring = ring.Ring()
        self._levels = Levels(self.host.rank)
        self._outbox, self._inbox = Outbox(), Inbox()
        self._pushing = False
        self._lost = 0
        """Lines that were dropped because too many waited."""
        self._following: list[Call] = []
        self._received = {"local": 0, "remote": 0}
        self._stderr: Callable[[str], None] = self.host.port("stderr")
        self._file: Any = None
        for name, level in LEVELS.items():
            self.follow(name, partial(self._levels.set_level, name), str(level))
        self.follow("log-stderr-mode", self._levels.set_mode, "leader")
        self.follow("log-syslog-enable", self._levels.set_syslog, "0")
        self.follow(ring.ATTRIBUTE, self._ring.resize, str(ring.SIZE))
        if self.host.rank == 0:
            self.follow("log-filename", self._open)

    async def stop(self) -> None:
        """Closes the file."""
        for call in list(self._following):
            call.end()
        self._close()

    def log(self, level: int, text: str) -> None:
        """What goes wrong here is not for the log, which would go wrong again."""
        for line in text.splitlines():
            self._stderr(f"flux-broker: log: {line}")

    # -- requests ---------------------------------------------------------------------------------------------------

    @request(raw=True)
    def append(self, call: Call, *, payload: bytes) -> None:
        """Takes one record."""
        record = payload.partition(b"\0")[0].decode("utf-8", "replace").rstrip("\r\n")
        line = read_logline(record)
        self._received["local" if line.rank == self.host.rank else "remote"] += 1
        self._place(cut(record, LONGEST), line)

    @request()
    def forward(self, call: Call, *, source: str, first: int, lines: list[str]) -> None:
        """Takes what another broker has forwarded: rank 0's half of the way between brokers."""
        for record in self._inbox.fresh(source, Batch(first, lines)):
            self._received["remote"] += 1
            self._place(record, read_logline(record))

    @request(stream=True)
    def dmesg(self, call: Call, *, follow: bool, nobacklog: bool = False) -> Later | Iterator[bytes]:
        """Streams the ring, a record an answer; with `follow` also what comes later."""
        records = [] if nobacklog else list(self._ring)
        if not follow:
            return (_wire(record) for record in records)
        for record in records:
            call.respond(_wire(record))
        self._following.append(call)
        call.on_close = lambda: self._following.remove(call)
        return LATER

    @request()
    def clear(self, call: Call) -> None:
        """Empties the ring."""
        self._ring.clear()

    @request()
    def setattr(self, call: Call, *, name: str, value: str) -> None:
        """Sets log-stderr-level. Other attributes are set by attr.set."""
        if name != "log-stderr-level":
            raise OSError(EINVAL, f"{name}: unknown log attribute")
        self.host.attributes.set(name, value)

    @request(allow=ALL)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """How full the ring is, and how many records came."""
        return {"ring-used": len(self._ring), "count": self._ring.count, "dropped": self._lost, **self._received}

    def parent_changed(self) -> None:
        """There is a way to rank 0 again."""
        super().parent_changed()
        self._push()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _place(self, record: str, line: LogLine) -> None:
        places = self._levels.places(line)
        if places.ring:
            self._ring.append(record)
            for call in list(self._following):
                call.respond(_wire(record))
        if places.stderr:
            self._stderr(self._levels.shown(line))
        if places.file:
            self._write(line.human())
        if places.syslog:
            self.host.port("syslog")(line.severity, f"{line.app}[{line.rank}]: {line.text}")
        if places.forward:
            self._outbox.add(record)
            if not self._pushing:
                self._pushing = True
                self.host.after(0, self._push)

    def _push(self) -> None:
        """Sends what waits, straight to rank 0: no broker on the way has to read it."""
        self._pushing = False
        if self._outbox.dropped:
            self._lost, self._outbox.dropped = self._lost + self._outbox.dropped, 0
            self._stderr(f"flux-broker: log: {self._lost} lines could not be forwarded in all")
        batch = self._outbox.take()
        if batch is not None:
            self.send_request("log.forward", {"source": self.host.uuid} | batch._asdict(), self._pushed, nodeid=0)

    def _pushed(self, response: Response) -> None:
        """On an error it is tried again: with the next record, at the next parent, or after a while."""
        if response.errnum:
            self._outbox.failed()
            self.host.after(AGAIN, self._push)
        else:
            self._outbox.arrived()
            self._push()

    def _open(self, path: str) -> None:
        if not path:
            raise OSError(EINVAL, "log-filename: a path is needed")
        try:
            opened = self.host.port("logfile")(path)
        except OSError as error:
            raise OSError(error.errno or EINVAL, f"log-filename: {path}: {error.strerror}") from None
        self._close()
        self._file = opened

    def _write(self, text: str) -> None:
        if self._file is None:
            return
        try:
            self._file(text)
        except OSError as error:
            self._stderr(f"flux-broker: log-filename: {error.strerror}: the log goes no longer there")
            self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _wire(record: str) -> bytes:
    return record.encode() + b"\0"
