"""A log line: RFC 5424's one-line syntax as Flux uses it (the host is the broker's rank), and how people read it."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
FACILITY_BITS = 3
"""RFC 5424 has the facility above the severity; Flux has it below, where LOG_USER leaves 0. So do its clients."""
INFO = 6
LONGEST = 1 << 16
"""Bytes of a record; the rest is cut. (flux-core does not cut; a limit keeps the ring within bounds.)"""

_LINE = re.compile(r"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) (-|\[.*?\])(?: (.*))?\Z", re.DOTALL)


class LogLine(NamedTuple):
    """One record. `severity` is 0 (emerg) to 7 (debug), `rank` -1 if the line does not say whose it is."""

    severity: int
    timestamp: str
    rank: int
    app: str
    text: str

    def encode(self) -> str:
        """As it travels and as it is kept."""
        rank = str(self.rank) if self.rank >= 0 else "-"
        head = f"<{self.severity << FACILITY_BITS}>1 {self.timestamp} {rank} {self.app or '-'} - - - "
        return head + cut(self.text, LONGEST - len(head))

    def human(self) -> str:
        """As people read it: flux-dmesg(1)."""
        return f"{self.timestamp} {self.app}.{SEVERITIES[self.severity]}[{self.rank}]: {self.text}"


def read_logline(text: str) -> LogLine:
    """Reads a record; one that is no RFC 5424 becomes the text of an `info` of nobody."""
    found = _LINE.match(text.rstrip("\0\n"))
    if found is None:
        return LogLine(INFO, "-", -1, "unknown", cut(text.rstrip("\0\n"), LONGEST))
    severity, timestamp, host, app = min(int(found[1]) >> FACILITY_BITS, 7), found[2], found[3], found[4]
    return LogLine(severity, timestamp, int(host) if host.isdecimal() else -1, app, found[8] or "")


def timestamp(wall: float) -> str:
    """A time in seconds since 1970 as RFC 5424 text, UTC with microseconds."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def cut(text: str, room: int) -> str:
    """As much of a text as fits into `room` bytes of UTF-8; ? for what UTF-8 cannot say."""
    return text.encode(errors="replace")[:room].decode(errors="ignore")
