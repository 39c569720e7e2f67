"""Log records as people want to see them: local times, or times since the last full minute, in color."""

import os
from datetime import datetime
from typing import TextIO

from flux.base.logline import SEVERITIES, LogLine, read_logline

RESET, BOLD, GREEN, YELLOW = "\033[0m", "\033[1m", "\033[32m", "\033[33m"
COLORS = {0: "\033[7m\033[31m", 1: "\033[7m\033[31m", 2: "\033[1m\033[31m", 3: "\033[31m", 4: BOLD, 7: "\033[34m"}
"""What severities look like."""


def wants_color(when: str, stream: TextIO) -> bool:
    """Whether to use color: `always`, `never`, or `auto`, which is on a terminal unless NO_COLOR says not to."""
    return when == "always" or (when == "auto" and stream.isatty() and not os.environ.get("NO_COLOR"))


class View:
    """Turns records into lines, one after the other."""

    def __init__(self, human: bool = False, delta: bool = False, color: bool = False) -> None:
        self._human, self._delta, self._color = human, delta, color
        self._minute = ""
        self._since: datetime | None = None

    def line(self, record: str) -> str:
        """A record as a line; what is no record as it is."""
        entry = read_logline(record)
        if entry.rank < 0 and entry.app == "unknown":
            return record
        when = self._offset(entry) if self._human else self._paint(GREEN, local(entry.timestamp))
        source = self._paint(YELLOW, f"{entry.app}.{SEVERITIES[entry.severity]}[{entry.rank}]")
        return f"{when} {source}: {self._paint(COLORS.get(entry.severity, ''), entry.text)}"

    def _offset(self, entry: LogLine) -> str:
        """The minute, when it is a new one, and seconds after it for all that follow in it."""
        time = read_time(entry.timestamp)
        if time is None:
            return self._paint(GREEN, f"[{entry.timestamp}]")
        minute = time.strftime("%b%d %H:%M")
        if minute != self._minute or self._since is None:
            self._minute, self._since = minute, time
            return self._paint(BOLD + GREEN, f"[{minute}]")
        seconds = (time - self._since).total_seconds()
        if self._delta:
            self._since = time
        return self._paint(GREEN, f"[{seconds:+11.6f}]")

    def _paint(self, color: str, text: str) -> str:
        return f"{color}{text}{RESET}" if self._color and color else text


def read_time(text: str) -> datetime | None:
    """An RFC 5424 timestamp in the time zone of whoever looks; None for what is none."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        return None


def local(text: str) -> str:
    """A timestamp in local time; as it is where that is UTC."""
    time = read_time(text)
    if time is None or not time.utcoffset():
        return text
    return time.isoformat(timespec="microseconds")
