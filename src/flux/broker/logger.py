"""How the broker itself logs: a line to its own log service, kept until there is one."""

from collections.abc import Callable

from flux.base.logline import LogLine, timestamp
from flux.wire.message import NORESPONSE, OWNER, UNKNOWN, Message, Request

SENDER = b"broker"


class Logger:
    """Makes records of what the broker and its services have to say."""

    def __init__(self, rank: int, wall: Callable[[], float], send: Callable[[Message, bytes], None]) -> None:
        self._rank, self._wall, self._send = rank, wall, send
        self._early: list[bytes] | None = []

    def __call__(self, level: int, app: str, text: str) -> None:
        """Logs each line of `text` (a traceback has several)."""
        for part in text.splitlines():
            record = LogLine(level, timestamp(self._wall()), self._rank, app, part).encode().encode()
            if self._early is None:
                self._append(record)
            else:
                self._early.append(record)

    def open(self) -> None:
        """The log service is there: hands it what was kept."""
        early, self._early = self._early or [], None
        for record in early:
            self._append(record)

    def _append(self, record: bytes) -> None:
        self._send(Request(UNKNOWN, OWNER, NORESPONSE, "log.append", record), SENDER)
