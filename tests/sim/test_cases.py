"""Every case on twenty seeds; `./dev soak` plays them on as many as there is time for."""

import pytest

from tests.sim.jobs import CASES


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", CASES)
def test_in_any_weather(name: str, seed: int) -> None:
    CASES[name].play(seed)


@pytest.mark.parametrize(
    ("name", "seed"),
    [
        ("links_that_break_or_fall_silent_are_gone_round", 280),  # rank 0 out of reach for one of its children only
        ("those_who_stay_are_served_while_others_die", 282),  # an event that waited below the dead was overtaken
    ],
)
def test_what_went_wrong_once(name: str, seed: int) -> None:
    CASES[name].play(seed)
