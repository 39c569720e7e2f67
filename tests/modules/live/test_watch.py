"""What silence says of a neighbour."""

import pytest

from flux.modules.live.watch import Health, Limits, Watch


@pytest.mark.parametrize(
    ("idle", "health"), [(0, Health.OK), (3, Health.OK), (3.1, Health.SLOW), (5, Health.SLOW), (5.1, Health.FAIL)]
)
def test_who_is_silent_is_slow_and_then_suspected(idle: float, health: Health) -> None:
    assert Watch(1, 0.0).look(idle, Limits()) is health


def test_who_is_silent_for_twice_as_long_as_is_allowed_needs_no_second_opinion() -> None:
    watch = Watch(1, 0.0)
    assert not watch.certain(10, Limits(3, 5))
    assert watch.certain(10.1, Limits(3, 5))


def test_states_have_words() -> None:
    assert [str(health) for health in Health] == ["ok", "slow", "fail", "unknown"]
