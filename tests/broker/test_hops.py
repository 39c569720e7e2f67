"""Who hears which events."""

from flux.broker.hops import Subscriptions
from flux.wire.message import Event

A, B = b"a", b"b"


def hearers(subscriptions: Subscriptions, topic: str) -> list[bytes]:
    return sorted(subscriptions.hearers(Event(topic=topic)))


def test_a_subscription_is_a_prefix_of_topics() -> None:
    made = Subscriptions()
    made.add("kvs.", A)
    made.add("", B)
    assert hearers(made, "kvs.setroot") == [A, B]
    assert hearers(made, "kv") == [B]


def test_who_subscribed_by_two_prefixes_hears_an_event_once() -> None:
    made = Subscriptions()
    made.add("kvs.", A)
    made.add("kvs.set", A)
    assert hearers(made, "kvs.setroot") == [A]


def test_subscriptions_are_counted() -> None:
    made = Subscriptions()
    made.add("a", A)
    made.add("a", A)
    made.remove("a", A)
    assert hearers(made, "a") == [A]
    made.remove("a", A)
    made.remove("a", A)
    assert hearers(made, "a") == []


def test_who_is_dropped_hears_nothing_however_often_it_subscribed() -> None:
    made = Subscriptions()
    for prefix in ("a", "a", "b"):
        made.add(prefix, A)
    made.add("a", B)
    made.drop(A)
    assert hearers(made, "a") == [B]
    assert hearers(made, "b") == []
