"""`heartbeat`: rank 0 publishes heartbeat.pulse every heartbeat.period; the others note when they heard it.

Rank 0's period is everybody's: once it is another than at the start, its pulses say so.
"""

from errno import EINVAL
from math import isinf
from typing import Any, ClassVar

from flux.base.config import Config
from flux.base.config.settings import SHORTEST
from flux.base.config.settings import Heartbeat as Settings
from flux.base.duration import exact_fsd, fsd, parse_fsd
from flux.service import ALL, Call, Service, event, request
from flux.service.kit import LOG_WARNING
from flux.wire.message import OWNER, Event

PERIOD = "heartbeat.period"
LONGEST = 86400.0
NEVER = -1.0
"""What is answered for a timeout that never comes: JSON has no infinity."""


class Heartbeat(Service):
    """Beats on rank 0, listens elsewhere. Takes `period=FSD`, as does the attribute; both prevail over the file."""

    name: ClassVar[str] = "heartbeat"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._settings = Settings()
        self._period = 0.0
        """Seconds; 0 before the start."""
        self._own = False
        """Whether the period is another than at the start."""

    def configured(self, config: Config) -> None:
        """Takes the table `heartbeat`; a period that has changed there is the attribute from then on."""
        settings, before = config.heartbeat, self._settings
        changed = settings.period != before.period
        if self._period and not changed and settings.timeout < 2 * self._period:
            raise config.complaint(("heartbeat", "timeout"), f"less than two periods of {exact_fsd(self._period)}")
        self._settings = settings
        if self._period and changed:
            self.host.attributes.set(PERIOD, exact_fsd(settings.period))

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
            self._seconds(value)
            self.host.attributes.set(PERIOD, value)
        self.follow(PERIOD, self._take, exact_fsd(self._settings.period))

    @event("heartbeat.pulse")
    def heard(self, event: Event) -> None:
        """Counts the pulse."""
        self.count += 1
        self.last = self.host.now()
        if event.data and self.host.rank and event.rolemask & OWNER:
            self._adopt(event.body().get("period"))
        if self._overdue:
            self._overdue = False
            self.log(LOG_WARNING, "heartbeat received")

    @request(allow=ALL)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """The period and timeout in seconds, and how many pulses were heard."""
        timeout = NEVER if isinf(self._settings.timeout) else self._settings.timeout
        told = {"period": self._period, "timeout": timeout, "count": self.count}
        return told | {"warn_thresh": self._settings.warn_thresh}

    def _adopt(self, period: object) -> None:
        if isinstance(period, str) and self._seconds(period) != self._period:
            self.host.attributes.set(PERIOD, period)

    def _take(self, text: str) -> None:
        period = self._seconds(text)
        self._own |= self._period not in (0.0, period)
        self._period = period
        self.every(self._period, self._listen if self.host.rank else self._beat, name="period")

    def _beat(self) -> None:
        self.publish("heartbeat.pulse", {"period": exact_fsd(self._period)} if self._own else None)

    def _listen(self) -> None:
        silence = self.host.now() - self.last
        if not self._overdue and silence > self._period * self._settings.warn_thresh:
            self._overdue = True
            self.log(LOG_WARNING, "heartbeat overdue")
        if silence > self._settings.timeout:
            self.last = self.host.now()  # the next parent has as much time
            self.notify("overlay.disconnect-parent", {"reason": f"no heartbeat for {fsd(silence)}"})

    def _seconds(self, text: str) -> float:
        """Reads a period. OSError(EINVAL)."""
        longest = min(LONGEST, self._settings.timeout / 2)
        try:
            seconds = parse_fsd(text)
        except ValueError:
            seconds = -1.0
        if not SHORTEST <= seconds <= longest:
            raise OSError(EINVAL, f"{PERIOD}: '{text}' is not a duration from 10ms to {exact_fsd(longest)}")
        return seconds
