"""Events of eventlogs (RFC 18), and how they are shown, under the names of today's `flux.eventlog`."""

import json
import sys
from datetime import datetime, timedelta
from typing import Any

__all__ = ["EventLogEvent", "EventLogFormatter"]

BOLD, RESET = "\033[1m", "\033[0m"
COLORS = {
    "name": "\033[33m",
    "time": "\033[32m",
    "timebreak": BOLD + "\033[32m",
    "key": "\033[34m",
    "value": "\033[35m",
    "number": "\033[37m",
    "exception": BOLD + "\033[31m",
}
MINUTE = timedelta(minutes=1)


class EventLogEvent(dict[str, Any]):
    """An event: a dict with `timestamp`, `name` and `context`, which are attributes, too."""

    def __init__(self, event: str | dict[str, Any]) -> None:
        super().__init__(json.loads(event) if isinstance(event, str) else event)
        self.setdefault("context", {})

    @property
    def name(self) -> str:
        """What happened."""
        return str(self["name"])

    @property
    def timestamp(self) -> float:
        """When it happened, in seconds since 1970."""
        found: float = self["timestamp"]
        return found

    @property
    def context(self) -> dict[str, Any]:
        """What else is known of it."""
        found: dict[str, Any] = self["context"]
        return found

    @property
    def context_string(self) -> str:
        """The context as JSON, keys sorted; "" if it is empty."""
        return _compact(self.context, sort_keys=True) if self.context else ""

    def __str__(self) -> str:
        return f"{self.timestamp:<0.5f}: {self.name} {self.context}"


class EventLogFormatter:
    """Shows events, one line each.

    `format` is "text" or "json"; `timestamp_format` "raw" (seconds since 1970), "iso", "offset" (seconds since the
    first event) or "human" (also "reltime": the time of day, then seconds since then); `color` "auto", "always",
    "never".
    """

    raw, offset = "11.6f", "15.6f"
    """How seconds are written."""

    def __init__(self, format: str = "text", timestamp_format: str = "raw", color: str = "auto") -> None:
        _check("entry_fmt", format, ("text", "json"))
        _check("timestamp_fmt", timestamp_format, ("raw", "human", "reltime", "iso", "offset"))
        _check("color", color, ("always", "never", "auto"))
        self.entry_format = format
        self.timestamp_format = "human" if timestamp_format == "reltime" else timestamp_format
        self.color = color == "always" or (color == "auto" and sys.stdout.isatty())
        self.t0: float | None = None
        """The time of the first event."""
        self.last_dt: datetime | None = None
        """The time that was written in full last."""

    def format(self, entry: dict[str, Any]) -> str:
        """The line of an event."""
        event = entry if isinstance(entry, EventLogEvent) else EventLogEvent(entry)
        if self.entry_format == "json":
            return _compact({key: value for key, value in event.items() if key != "context" or value})
        name = self._paint("exception" if event.name == "exception" else "name", event.name)
        context = [f" {self._paint('key', key)}={self._value(value)}" for key, value in event.context.items()]
        return f"{self._timestamp(event.timestamp)} {name}{''.join(context)}"

    def _value(self, value: Any) -> str:
        return self._paint("number" if type(value) in (int, float) else "value", _compact(value))

    def _paint(self, color: str, text: str) -> str:
        return f"{COLORS[color]}{text}{RESET}" if self.color else text

    def _timestamp(self, seconds: float) -> str:
        if self.t0 is None:
            self.t0 = seconds
        match self.timestamp_format:
            case "human":
                return self._human(seconds)
            case "raw":
                text = format(seconds, self.raw)
            case "iso":
                text = _iso(seconds)
            case _:
                text = format(seconds - self.t0, self.offset)
        return self._paint("time", text)

    def _human(self, seconds: float) -> str:
        """The time of day once in a minute, and in between the seconds since then."""
        when = datetime.fromtimestamp(seconds)
        if self.last_dt is not None and self.same_minute(self.last_dt, when):
            return self._paint("time", f"[{(when - self.last_dt).total_seconds():>+11.6f}]")
        self.last_dt = when
        return self._paint("timebreak", f"[{when:%b%d %H:%M}]")

    def same_minute(self, last: datetime, when: datetime) -> bool:
        """Whether the time of day need not be written again."""
        return when - last < MINUTE


def _iso(seconds: float) -> str:
    when = datetime.fromtimestamp(seconds).astimezone()
    micro = int((seconds - int(seconds)) * 1e6)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{micro:06d}{when.strftime('%z').replace('+0000', 'Z')}"


def _compact(value: Any, *, sort_keys: bool = False) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=sort_keys)


def _check(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"Invalid {what}: {value}")
