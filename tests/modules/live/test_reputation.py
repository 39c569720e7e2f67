"""What the session thinks of ranks, and whom rank 0 misses."""

from flux.modules.live.reputation import Reputations
from flux.modules.live.watch import Health


def test_only_those_who_are_not_well_are_named() -> None:
    thought = Reputations()
    for rank, health in ((3, Health.FAIL), (1, Health.FAIL), (2, Health.SLOW), (2, Health.OK)):
        thought.say(rank, health, 0)
    assert thought.status() == {"fail": [1, 3]}
    assert (thought.of(1), thought.of(2)) == (Health.FAIL, Health.OK)


def test_who_can_be_reached_has_not_failed_and_is_slow_only_for_who_is_there() -> None:
    thought = Reputations()
    for rank, health, accuser in ((1, Health.FAIL, 0), (2, Health.FAIL, 0), (3, Health.SLOW, 4), (5, Health.SLOW, 6)):
        thought.say(rank, health, accuser)
    assert thought.absolved({0, 2, 3, 5, 6}.__contains__) == [(2, Health.FAIL), (3, Health.SLOW)]


def test_who_is_missed_for_long_has_failed_unless_that_is_known() -> None:
    thought = Reputations()
    thought.miss([1, 2, 3], 10.0)
    thought.say(2, Health.FAIL, 0)
    assert thought.failed(19.0, 10.0, {3}.__contains__) == []
    assert thought.failed(21.0, 10.0, lambda rank: False) == [(1, Health.OK)]
    assert thought.failed(22.0, 10.0, lambda rank: False) == []


def test_what_another_one_knows_is_taken_over() -> None:
    knows, learns = Reputations(), Reputations()
    knows.say(3, Health.SLOW, 1)
    knows.say(4, Health.FAIL, 1)
    learns.say(5, Health.SLOW, 1)
    learns.learn(knows.status())
    assert learns.status() == knows.status() == {"slow": [3], "fail": [4]}
