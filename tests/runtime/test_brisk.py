"""Looking again instead of sleeping, on virtual time."""

from collections.abc import Callable

from flux.runtime.brisk import BRISK, MOMENT, RARELY, TAKEN, Offer, Vigil, look


class Time:
    """A clock that passes a tenth of a moment whenever somebody else could have the processor."""

    def __init__(self, busy_after: int = 1_000_000) -> None:
        self.now = 0.0
        self.offers = 0
        self._busy_after = busy_after

    def clock(self) -> float:
        return self.now

    def taken(self) -> bool:
        self.now += MOMENT / 10
        self.offers += 1
        return self.offers > self._busy_after


class Turns:
    """A loop that counts its turns."""

    def __init__(self) -> None:
        self.next: list[Callable[[], None]] = []
        self.turns = 0

    def call_soon(self, callback: Callable[[], None], /) -> None:
        self.next.append(callback)

    def run(self) -> int:
        before = self.turns
        while self.next:
            self.turns += 1
            self.next.pop()()
        return self.turns - before


def test_what_is_there_already_is_seen_at_once() -> None:
    time = Time()
    look(lambda: True, time.clock, time.taken)
    assert time.offers == 0


def test_what_comes_within_the_moment_is_seen() -> None:
    time = Time()
    look(lambda: time.now >= MOMENT / 2, time.clock, time.taken)
    assert MOMENT / 2 <= time.now < MOMENT


def test_nobody_looks_for_longer_than_a_moment() -> None:
    time = Time()
    look(lambda: False, time.clock, time.taken)
    assert MOMENT <= time.now < MOMENT * 1.2


def test_nobody_looks_on_a_processor_that_somebody_else_wants() -> None:
    time = Time(busy_after=2)
    look(lambda: False, time.clock, time.taken)
    assert time.offers == 3


def test_the_first_that_comes_keeps_no_loop_awake() -> None:
    time, loop = Time(), Turns()
    Vigil(loop, time.clock, time.taken).came()
    assert loop.run() == 0


def test_what_comes_at_once_keeps_the_loop_awake_for_a_moment() -> None:
    time, loop = Time(), Turns()
    vigil = Vigil(loop, time.clock, time.taken)
    vigil.came()
    vigil.came()
    vigil.came()
    assert 10 <= loop.run() <= 12


def test_what_comes_late_keeps_no_loop_awake() -> None:
    time, loop = Time(), Turns()
    vigil = Vigil(loop, time.clock, time.taken)
    vigil.came()
    time.now += BRISK * 1.1
    vigil.came()
    assert loop.run() == 0


def test_a_vigil_ends_when_somebody_else_wants_the_processor() -> None:
    time, loop = Time(busy_after=2), Turns()
    vigil = Vigil(loop, time.clock, time.taken)
    vigil.came()
    vigil.came()
    assert loop.run() == 3


def test_a_vigil_that_has_ended_begins_again() -> None:
    time, loop = Time(), Turns()
    vigil = Vigil(loop, time.clock, time.taken)
    vigil.came()
    vigil.came()
    loop.run()
    vigil.came()
    assert loop.run() > 0


def test_a_processor_that_was_taken_is_not_offered_again_for_a_while() -> None:
    time, costs = Time(), [TAKEN / 2, 100 * TAKEN, TAKEN / 2]

    def give() -> None:
        time.now += costs.pop(0)

    taken = Offer(time.clock, give)
    assert [taken(), taken(), taken()] == [False, True, True]
    assert len(costs) == 1
    time.now += RARELY
    assert not taken()
    assert not costs
