"""Where a log line goes, by its severity and the log-* attributes (flux-broker-attributes(7)). Pure."""

from errno import EINVAL
from typing import NamedTuple

from flux.base.logline import SEVERITIES, LogLine

LEVELS = {
    "log-level": 7,
    "log-forward-level": 3,
    "log-stderr-level": 3,
    "log-critical-level": 2,
    "log-syslog-level": 3,
}
"""The attributes that hold a level, with their defaults. -1 lets nothing pass."""
MODES = ("leader", "local")
"""Whose stderr shows lines: that of rank 0, or that of each broker."""


class Places(NamedTuple):
    """Where one line goes."""

    ring: bool
    stderr: bool
    forward: bool
    file: bool
    syslog: bool


class Levels:
    """The levels of one broker, as its attributes say."""

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._levels = dict(LEVELS)
        self._local = self._syslog = False

    def set_level(self, name: str, text: str) -> None:
        """Takes an attribute's value. OSError(EINVAL) names one that is no level."""
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) == 1) or not -1 <= int(text) <= 7:
            raise OSError(EINVAL, f"{name}: '{text}' is not a level from -1 to 7")
        self._levels[name] = int(text)

    def set_mode(self, text: str) -> None:
        """Takes the value of log-stderr-mode. OSError(EINVAL) if there is no such mode."""
        if text not in MODES:
            raise OSError(EINVAL, f"log-stderr-mode: '{text}' is not one of {', '.join(MODES)}")
        self._local = text == "local"

    def set_syslog(self, text: str) -> None:
        """Takes the value of log-syslog-enable: 0 or 1."""
        if text not in ("0", "1"):
            raise OSError(EINVAL, f"log-syslog-enable: '{text}' is neither 0 nor 1")
        self._syslog = text == "1"

    def places(self, line: LogLine) -> Places:
        """Where a line goes that has come to this broker."""
        own, leader = line.rank == self._rank, self._rank == 0
        return Places(
            ring=own and self._passes(line, "log-level"),
            stderr=self._shows(line, own, leader),
            forward=not leader and self._passes(line, "log-forward-level"),
            file=leader,
            syslog=own and self._syslog and self._passes(line, "log-syslog-level"),
        )

    def shown(self, line: LogLine) -> str:
        """A line as stderr has it: with its severity up front when every broker shows its own to a journal."""
        if self._local:
            return f"<{line.severity}>{line.app}.{SEVERITIES[line.severity]}[{line.rank}]: {line.text}"
        return line.human()

    def _shows(self, line: LogLine, own: bool, leader: bool) -> bool:
        """What is critical shows at once where it happened, in case it gets no further."""
        if own and self._passes(line, "log-critical-level"):
            return True
        return (own if self._local else leader) and self._passes(line, "log-stderr-level")

    def _passes(self, line: LogLine, name: str) -> bool:
        return line.severity <= self._levels[name]
