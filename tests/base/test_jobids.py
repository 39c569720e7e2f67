"""New job ids."""

from hypothesis import given
from hypothesis import strategies as st

from flux.base.jobids import JobIDs


@given(st.lists(st.integers(0, 5), min_size=1, max_size=50))
def test_ids_only_grow_even_when_the_clock_does_not(times: list[int]) -> None:
    ids = JobIDs(3)
    made = [ids.next(milliseconds) for milliseconds in times]
    assert made == sorted(set(made))


def test_more_in_a_millisecond_than_it_has_room_for_take_from_the_next() -> None:
    ids = JobIDs(0)
    made = [ids.next(1) for _ in range(3000)]
    assert len(set(made)) == 3000


def test_ranks_do_not_collide() -> None:
    assert JobIDs(1).next(5) != JobIDs(2).next(5)
