"""`sched-fifo`: first come, first served, as `sched-simple`."""

from typing import ClassVar

from flux.modules.sched import service


class Fifo(service.Sched):
    """Nobody overtakes in a queue."""

    name: ClassVar[str] = "sched-fifo"
