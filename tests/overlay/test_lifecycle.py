"""The table of a broker's life: today's numbers, and no state that a broker cannot leave."""

import pytest

from flux.overlay.lifecycle import EVENTS, STEP, State, step

S = State

LIFE_OF_RANK_0 = {
    "builtins-success": S.JOIN,
    "parent-none": S.CONFIG_SYNC,
    "sync-none": S.INIT,
    "rc1-success": S.QUORUM,
    "quorum-full": S.RUN,
    "rc2-success": S.CLEANUP,
    "cleanup-none": S.SHUTDOWN,
    "children-complete": S.FINALIZE,
    "rc3-success": S.GOODBYE,
    "goodbye": S.UNLOAD_BUILTINS,
    "builtins-done": S.EXIT,
}


def test_a_whole_life_in_order() -> None:
    state = S.LOAD_BUILTINS
    for event, following in LIFE_OF_RANK_0.items():
        state = step(state, event)
        assert state == following


def test_numbers_and_names_are_those_that_clients_know() -> None:
    assert [(int(state), str(state)) for state in State] == [
        (0, "load-builtins"),
        (1, "join"),
        (2, "config-sync"),
        (3, "init"),
        (4, "quorum"),
        (5, "run"),
        (6, "cleanup"),
        (7, "shutdown"),
        (8, "finalize"),
        (9, "goodbye"),
        (10, "unload-builtins"),
        (11, "exit"),
    ]


@pytest.mark.parametrize("state", [state for state in State if state < S.SHUTDOWN])
def test_a_lost_parent_leads_to_the_end_from_wherever_there_can_be_one(state: State) -> None:
    if state in (S.LOAD_BUILTINS, S.CLEANUP):  # there is no parent yet; the end has begun
        assert step(state, "parent-fail") == state
    else:
        assert step(state, "parent-fail") in (S.CLEANUP, S.SHUTDOWN)


def test_what_means_nothing_in_a_state_changes_nothing() -> None:
    for state in State:
        for event in EVENTS | {"nonsense"}:
            if (state, event) not in STEP:
                assert step(state, event) == state


def test_a_life_only_goes_forward() -> None:
    assert all(following > state for (state, _), following in STEP.items())


def test_every_state_but_the_last_can_be_left() -> None:
    assert {state for state, _ in STEP} == set(State) - {S.EXIT}
