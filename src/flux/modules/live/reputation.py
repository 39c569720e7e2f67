"""What the session thinks of each rank, and whom rank 0 misses. Pure: told what was said, and who can be reached."""

from collections.abc import Callable, Iterable

from flux.modules.live.watch import Health

Reached = Callable[[int], bool]
"""Whether a rank can be reached."""
Verdict = tuple[int, Health]
"""A rank, and what was thought of it so far."""


class Reputations:
    """Of all ranks. Whoever is well is not in here."""

    def __init__(self) -> None:
        self._ill: dict[int, tuple[Health, int]] = {}
        """What is thought of a rank, and who says so."""
        self._missing: dict[int, float] = {}
        """Who cannot be reached, and since when."""

    def of(self, rank: int) -> Health:
        """What is thought of a rank."""
        return self._ill.get(rank, (Health.OK, 0))[0]

    def say(self, rank: int, health: Health, accuser: int) -> None:
        """Somebody says what is to be thought of a rank."""
        if health is Health.OK:
            self._ill.pop(rank, None)
        else:
            self._ill[rank] = health, accuser

    def learn(self, status: dict[str, list[int]]) -> None:
        """Takes over what somebody else knows (`status`), who does not say from whom."""
        self._ill = {rank: (health, 0) for health in Health for rank in status.get(str(health), ())}

    def status(self) -> dict[str, list[int]]:
        """The ranks that are not well, by what is thought of them."""
        told: dict[str, list[int]] = {}
        for rank, (health, _) in sorted(self._ill.items()):
            told.setdefault(str(health), []).append(rank)
        return told

    # -- on rank 0 --------------------------------------------------------------------------------------------------

    def absolved(self, reached: Reached) -> list[Verdict]:
        """Who can be reached has not failed, nor is it slow if who said so is gone.

        Its parent may not know: one that has come later has not heard what was said before.
        """
        return [
            (rank, health)
            for rank, (health, accuser) in self._ill.items()
            if reached(rank) and (health is not Health.SLOW or not reached(accuser))
        ]

    def miss(self, ranks: Iterable[int], now: float) -> None:
        """These were lost, some of them only with their parent: those will come to another one."""
        self._missing |= dict.fromkeys(ranks, now)

    def failed(self, now: float, patience: float, reached: Reached) -> list[Verdict]:
        """Who is missed for longer than that, and was not said to have failed by anybody."""
        self._missing = {rank: since for rank, since in self._missing.items() if not reached(rank)}
        overdue = [rank for rank, since in self._missing.items() if now - since > patience]
        for rank in overdue:
            del self._missing[rank]
        return [(rank, self.of(rank)) for rank in overdue if self.of(rank) in (Health.OK, Health.SLOW)]
