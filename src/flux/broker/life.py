"""Where a broker is in its life: takes events, changes state by the table, tells who watches."""

from collections.abc import Callable

from flux.overlay.lifecycle import State, step

Watch = Callable[[State], None]


class Life:
    """The state of one broker. It decides nothing: what a state needs done is its watchers' business."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.state = State.LOAD_BUILTINS
        self._now = now
        self._since = now()
        self._watches: list[Watch] = []

    @property
    def duration(self) -> float:
        """Seconds in this state."""
        return self._now() - self._since

    def watch(self, told: Watch) -> None:
        """Calls `told` with each new state."""
        self._watches.append(told)

    def unwatch(self, told: Watch) -> None:
        """Calls it no more."""
        if told in self._watches:
            self._watches.remove(told)

    def post(self, event: str) -> bool:
        """Something happened; says whether it changed the state."""
        following = step(self.state, event)
        if following == self.state:
            return False
        self.state, self._since = following, self._now()
        for told in list(self._watches):
            told(following)
        return True
