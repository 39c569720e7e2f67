"""`sched-backfill`: small jobs go before large ones that have to wait, unless that would make those wait longer."""

from collections.abc import Sequence
from errno import EINVAL
from typing import ClassVar

from flux.modules.sched import service
from flux.modules.sched.plan import CONSERVATIVE, EASY
from flux.service.ports import Host

POLICIES = {"easy": EASY, "conservative": CONSERVATIVE}


class Backfill(service.Sched):
    """The argument `policy=easy` (the default) or `policy=conservative` says who gets a reservation."""

    name: ClassVar[str] = "sched-backfill"

    def __init__(self, host: Host, args: Sequence[str] = ()) -> None:
        super().__init__(host, args)
        self.depth = EASY  # type: ignore[misc]
        for arg in args:
            key, _, value = arg.partition("=")
            if key != "policy" or value not in POLICIES:
                raise OSError(EINVAL, f"sched-backfill: '{arg}' is none of policy=easy, policy=conservative")
            self.depth = POLICIES[value]  # type: ignore[misc]
