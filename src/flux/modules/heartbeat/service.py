"""`heartbeat`: rank 0 publishes heartbeat.pulse every heartbeat.period; the others note when they heard it."""

from errno import EINVAL
from typing import Any, ClassVar

from flux.base.duration import parse_fsd
from flux.service import Call, Service, event, request
from flux.wire.message import USER, Event

TIMEOUT, WARN_AFTER = 300.0, 3
SHORTEST, LONGEST = 0.01, 300.0


class Heartbeat(Service):
    """Beats on rank 0, listens elsewhere."""

    name: ClassVar[str] = "heartbeat"

    async def start(self) -> None:
        """Begins to beat, on rank 0."""
        self.count = 0
        self._period = _period(self.host.attributes.get("heartbeat.period"))
        self.host.attributes.watch("heartbeat.period", self._change)
        if self.host.rank == 0:
            self.every(self._period, self._beat, name="beat")

    @event("heartbeat.pulse")
    def heard(self, event: Event) -> None:
        """Counts the pulse."""
        self.count += 1

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """The period and timeout in seconds, and how many pulses were heard."""
        return {"period": self._period, "timeout": TIMEOUT, "count": self.count, "warn_thresh": WARN_AFTER}

    def _beat(self) -> None:
        self.publish("heartbeat.pulse")

    def _change(self, text: str) -> None:
        self._period = _period(text)
        if self.host.rank == 0:
            self.every(self._period, self._beat, name="beat")


def _period(text: str) -> float:
    try:
        seconds = parse_fsd(text)
    except ValueError:
        seconds = -1.0
    if not SHORTEST <= seconds <= LONGEST:
        raise OSError(EINVAL, f"heartbeat.period: '{text}' is not a duration from 10ms to 5m")
    return seconds
