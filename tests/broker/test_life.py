"""A broker's state, and who watches it."""

from flux.broker.life import Life
from flux.overlay.lifecycle import State


def test_an_event_leads_on_and_everybody_is_told() -> None:
    life, told = Life(lambda: 0.0), list[tuple[str, State]]()
    life.watch(lambda state: told.append(("one", state)))
    life.watch(lambda state: told.append(("two", state)))
    assert life.post("builtins-success")
    assert life.state == State.JOIN
    assert told == [("one", State.JOIN), ("two", State.JOIN)]


def test_an_event_that_means_nothing_now_is_told_to_nobody() -> None:
    life, told = Life(lambda: 0.0), list[State]()
    life.watch(told.append)
    assert not life.post("rc1-success")
    assert not life.post("nonsense")
    assert (life.state, told) == (State.LOAD_BUILTINS, [])


def test_a_duration_begins_with_the_state() -> None:
    clock = iter([10.0, 11.5, 20.0, 22.0])
    life = Life(lambda: next(clock))
    assert life.duration == 1.5
    life.post("builtins-success")
    assert life.duration == 2.0


def test_who_watches_no_more_hears_nothing() -> None:
    life, told = Life(lambda: 0.0), list[State]()
    life.watch(told.append)
    life.unwatch(told.append)
    life.unwatch(told.append)
    life.post("builtins-success")
    assert told == []


def test_a_watcher_may_post_what_follows_and_may_leave_while_it_is_told() -> None:
    life, told = Life(lambda: 0.0), list[State]()

    def once(state: State) -> None:
        life.unwatch(once)
        life.post("parent-none")

    life.watch(once)
    life.watch(told.append)
    life.post("builtins-success")
    assert life.state == State.CONFIG_SYNC
    assert told == [State.CONFIG_SYNC, State.JOIN]
