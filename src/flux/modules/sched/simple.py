"""`sched-simple`: first come, first served."""

from typing import ClassVar

from flux.modules.sched import service


class Simple(service.Sched):
    """Nobody overtakes in a queue."""

    name: ClassVar[str] = "sched-simple"
