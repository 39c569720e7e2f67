"""`log`: a ring of lines on every broker, forwarded to rank 0, shown by dmesg (RFC 5424; flux-broker-attributes(7))."""

from collections import deque
from collections.abc import Callable
from errno import EINVAL
from functools import partial
from typing import Any, ClassVar

from flux.base.logline import LogLine, read_logline
from flux.service import LATER, Call, Later, Service, request

LEVELS = {"log-level": 7, "log-forward-level": 3, "log-stderr-level": 3, "log-critical-level": 2}
RING = "log-ring-size"
MODES = ("leader", "local")


class Log(Service):
    """Keeps lines, hands them on by their severity, and shows them."""

    name: ClassVar[str] = "log"

    async def start(self) -> None:
        """Reads its attributes, and follows them."""
        self._ring: deque[LogLine] = deque(maxlen=1024)
        self._following: list[Call] = []
        self._levels = dict(LEVELS)
        self._counts = {"local": 0, "remote": 0}
        self._mode = "leader"
        self._file: Any = None
        self._stderr: Callable[[str], None] = self.host.port("stderr")
        for name in LEVELS:
            self._attribute(name, str(LEVELS[name]), partial(self._set_level, name))
        self._attribute(RING, "1024", self._resize)
        self._attribute("log-stderr-mode", "leader", self._set_mode)
        if self.host.rank == 0:
            self._attribute("log-filename", "", self._open)

    async def stop(self) -> None:
        """Closes the file; what was forwarded has left."""
        for call in list(self._following):
            call.end()
        if self._file is not None:
            self._file.close()

    # -- requests ---------------------------------------------------------------------------------------------------

    @request(raw=True)
    def append(self, call: Call, *, payload: bytes) -> None:
        """Takes one RFC 5424 line. What goes wrong here cannot go to the log."""
        try:
            self._take(payload)
        except Exception as error:
            self._stderr(f"log: {type(error).__name__}: {error}: {payload!r:.200}")

    def _take(self, payload: bytes) -> None:
        line = read_logline(payload.decode("utf-8", "replace"))
        own = line.rank in (self.host.rank, -1)
        self._counts["local" if own else "remote"] += 1
        if (own and line.severity <= self._levels["log-level"]) or (not own and self.host.rank == 0):
            self._keep(line)
        shown = self._show(line, own)
        if line.severity <= self._levels["log-forward-level"]:
            if self.host.rank:
                self.notify("log.append", payload, upstream=True)
                return
            if self._file is not None:
                self._file(line.human())
        if self.host.rank == 0 and not shown and line.severity <= self._levels["log-stderr-level"]:
            self._stderr(line.human())

    @request(stream=True)
    def dmesg(self, call: Call, *, follow: bool = False, nobacklog: bool = False) -> Later | None:
        """Streams the ring, one line a response; with `follow` also what comes later."""
        for line in [] if nobacklog else list(self._ring):
            call.respond(_wire(line))
        if not follow:
            call.end()
            return LATER
        self._following.append(call)
        call.on_close = lambda: self._following.remove(call)
        return LATER

    @request()
    def clear(self, call: Call) -> None:
        """Empties the ring."""
        self._ring.clear()

    @request()
    def stats_get(self, call: Call) -> dict[str, Any]:
        """How full the ring is, and how many lines came."""
        return {"ring-used": len(self._ring), "count": sum(self._counts.values()), **self._counts}

    # -- inside -----------------------------------------------------------------------------------------------------

    def _keep(self, line: LogLine) -> None:
        self._ring.append(line)
        for call in list(self._following):
            call.respond(_wire(line))

    def _show(self, line: LogLine, own: bool) -> bool:
        """Writes to our own stderr what is critical, or all that is grave enough if every broker shows its own."""
        level = self._levels["log-stderr-level" if self._mode == "local" else "log-critical-level"]
        if not own or line.severity > level:
            return False
        self._stderr(line.human())
        return True

    def _attribute(self, name: str, default: str, take: Callable[[str], None]) -> None:
        """Reads an attribute now and whenever it is set."""
        table = self.host.attributes
        if name not in table.names():
            table.set(name, default)
        take(table.get(name))
        table.watch(name, take)

    def _set_level(self, name: str, text: str) -> None:
        if not text.isdecimal() or int(text) > 7:
            raise OSError(EINVAL, f"{name}: '{text}' is not a level from 0 to 7")
        self._levels[name] = int(text)

    def _resize(self, text: str) -> None:
        if not text.isdecimal() or len(text) > 9:
            raise OSError(EINVAL, f"{RING}: '{text}' is not a number of lines")
        self._ring = deque(self._ring, maxlen=int(text))

    def _set_mode(self, text: str) -> None:
        if text not in MODES:
            raise OSError(EINVAL, f"log-stderr-mode: '{text}' is not one of {', '.join(MODES)}")
        self._mode = text

    def _open(self, path: str) -> None:
        opened = self.host.port("logfile")(path) if path else None
        if self._file is not None:
            self._file.close()
        self._file = opened


def _wire(line: LogLine) -> bytes:
    return line.encode().encode() + b"\0"
