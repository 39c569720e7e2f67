"""Session-wide events: whatever a network does to them, each is delivered once, in order, or declared lost."""

from hypothesis import given
from hypothesis import strategies as st

from flux.overlay.events import EventLog, Gate
from flux.wire.message import Control, Event


def source(count: int, kept: int = 4096) -> EventLog:
    """What rank 0 knows after it has published `count` events."""
    log = EventLog(kept)
    for n in range(count):
        log.publish(Event(topic=f"event.{n + 1}"))
    return log


def numbers(events: list[Event]) -> list[int]:
    return [event.sequence for event in events]


def test_rank_0_numbers_from_1() -> None:
    log = EventLog()
    assert [log.publish(Event(topic="a")).sequence for _ in range(3)] == [1, 2, 3]
    assert log.last == 3


def test_an_event_is_delivered_when_all_before_it_were() -> None:
    sent, log = source(4).since(0), EventLog()
    assert numbers(log.receive(sent[0])) == [1]
    assert numbers(log.receive(sent[2])) == []
    assert log.gap and log.newest == 3
    assert numbers(log.receive(sent[3])) == []
    assert numbers(log.receive(sent[1])) == [2, 3, 4]
    assert not log.gap and log.newest == 4


def test_a_double_is_dropped() -> None:
    sent, log = source(1).since(0), EventLog()
    log.receive(sent[0])
    assert log.receive(sent[0]) == []


arrivals = st.integers(1, 30).flatmap(
    lambda count: st.tuples(st.just(count), st.lists(st.integers(1, count), max_size=80))
)


@given(arrivals)
def test_any_order_doubles_and_losses_then_a_replay_deliver_each_event_once_in_order(
    arrival: tuple[int, list[int]],
) -> None:
    count, order = arrival
    parent, child = source(count), EventLog()
    sent = parent.since(0)
    delivered = [event for n in order for event in child.receive(sent[n - 1])]
    delivered += [event for event in parent.since(child.last) for event in child.receive(event)]
    assert numbers(delivered) == list(range(1, count + 1))
    assert child.last == count and not child.gap


@given(arrivals, st.integers(1, 10))
def test_with_a_short_memory_what_is_not_delivered_is_declared_lost(arrival: tuple[int, list[int]], kept: int) -> None:
    count, order = arrival
    sent, parent, child = source(count).since(0), source(count, kept), EventLog(kept)
    delivered = [event for n in order for event in child.receive(sent[n - 1])]
    lost: list[int] = []
    if child.last < parent.out_of_reach:
        lost = list(range(child.last + 1, parent.out_of_reach + 1))
        delivered += child.resume(parent.out_of_reach)
    delivered += [event for event in parent.since(child.last) for event in child.receive(event)]
    assert numbers(delivered) == sorted(set(range(1, count + 1)) - set(lost))
    assert child.last == count and not child.gap


def test_who_has_all_gets_no_replay() -> None:
    assert source(3).since(3) == source(3).since(7) == []


def test_only_the_latest_are_kept() -> None:
    log = source(10, kept=3)
    assert numbers(log.since(0)) == [8, 9, 10]
    assert log.out_of_reach == 7


def test_what_is_resumed_after_is_not_offered_for_replay() -> None:
    log = EventLog()
    log.resume(5)
    assert (log.last, log.out_of_reach) == (5, 5)
    log.receive(Event(topic="a", sequence=6))
    assert numbers(log.since(0)) == [6]
    assert log.out_of_reach == 5


def test_what_was_held_is_delivered_when_its_gap_is_declared_lost() -> None:
    sent, log = source(6).since(0), EventLog()
    for n in (4, 5, 6):
        log.receive(sent[n - 1])
    assert numbers(log.resume(4)) == [5, 6]
    assert log.resume(2) == []


def test_a_gate_lets_go_in_order_what_its_event_allows() -> None:
    gate = Gate()
    first, second, third = Control(status=1), Control(status=2), Control(status=3)
    gate.hold(5, first)
    gate.hold(3, second)
    gate.hold(7, third)
    assert gate.release(4) == []
    assert gate.release(6) == [(5, first), (3, second)]
    assert gate
    assert gate.release(7) == [(7, third)]
    assert not gate
