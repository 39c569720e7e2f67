"""`heartbeat`: rank 0 publishes heartbeat.pulse every heartbeat.period; the others note when they heard it."""

from errno import EINVAL
from typing import Any, ClassVar

from flux.base.duration import parse_fsd
from flux.service import ALL, Call, Service, event, request
from flux.service.kit import LOG_WARNING
from flux.wire.message import Event

PERIOD = "heartbeat.period"
TIMEOUT, WARN_AFTER = 300.0, 3
"""Seconds without a pulse after which a parent counts as lost, and periods after which that is logged."""
SHORTEST, LONGEST = 0.01, TIMEOUT / 2


class Heartbeat(Service):
    """Beats on rank 0, listens elsewhere. Takes `period=FSD`."""

    name: ClassVar[str] = "heartbeat"

    async def start(self) -> None:
        """Begins to beat, or to listen."""
        self.count = 0
        self.last = self.host.now()
        """When the last pulse was heard."""
        self._overdue = False
        for arg in self.args:
            key, _, value = arg.partition("=")
            if key != "period":
                raise OSError(EINVAL, f"{arg}: unknown option")
            _period(value)
            self.host.attributes.set(PERIOD, value)
        self.follow(PERIOD, self._take, "2s")

    @event("heartbeat.pulse")
    def heard(self, event: Event) -> None:
        """Counts the pulse."""
        self.count += 1
        self.last = self.host.now()
        if self._overdue:
            self._overdue = False
            self.log(LOG_WARNING, "heartbeat received")

    @request(allow=ALL)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """The period and timeout in seconds, and how many pulses were heard."""
        return {"period": self._period, "timeout": TIMEOUT, "count": self.count, "warn_thresh": WARN_AFTER}

    def _take(self, text: str) -> None:
        self._period = _period(text)
        self.every(self._period, self._listen if self.host.rank else self._beat, name="period")

    def _beat(self) -> None:
        self.publish("heartbeat.pulse")

    def _listen(self) -> None:
        if not self._overdue and self.host.now() - self.last > self._period * WARN_AFTER:
            self._overdue = True
            self.log(LOG_WARNING, "heartbeat overdue")


def _period(text: str) -> float:
    try:
        seconds = parse_fsd(text)
    except ValueError:
        seconds = -1.0
    if not SHORTEST <= seconds <= LONGEST:
        raise OSError(EINVAL, f"{PERIOD}: '{text}' is not a duration from 10ms to 2.5m")
    return seconds
