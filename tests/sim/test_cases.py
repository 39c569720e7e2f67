"""Every case on twenty seeds; `./dev soak` plays them on as many as there is time for."""

import pytest

from tests.sim.keeping import CASES


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", CASES)
def test_in_any_weather(name: str, seed: int) -> None:
    CASES[name].play(seed)
