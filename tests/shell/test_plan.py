"""Which task runs where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.shell.plan import plan


def test_tasks_go_in_blocks_that_differ_by_one_at_most() -> None:
    made = plan(7, [0, 4, 5])
    assert made.ranks == (0, 4, 5)
    assert [made.tasks(node) for node in range(3)] == [[0, 1, 2], [3, 4], [5, 6]]
    assert made.taskmap.encode() == "[[0,1,3,1],[1,2,2,1]]"


@given(st.integers(1, 300), st.integers(1, 40))
def test_every_task_runs_exactly_once(ntasks: int, nnodes: int) -> None:
    nnodes = min(ntasks, nnodes)
    made = plan(ntasks, range(nnodes))
    tasks = [task for node in range(nnodes) for task in made.tasks(node)]
    assert tasks == list(range(ntasks))
    assert made.ntasks == ntasks


@pytest.mark.parametrize(
    ("ntasks", "ranks", "why"),
    [
        (0, [0], "at least 1"),
        (-3, [0], "at least 1"),
        (1, [], "no ranks"),
        (1, [0, 1], "2 nodes for 1 task:"),
        (1 << 40, [0], "at most"),
    ],
)
def test_what_cannot_be_planned_is_refused(ntasks: int, ranks: list[int], why: str) -> None:
    with pytest.raises(OSError, match=why):
        plan(ntasks, ranks)
