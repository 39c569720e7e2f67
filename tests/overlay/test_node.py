"""Nodes joined in memory: how a session wires up, routes, hears events, loses brokers, and takes them in again."""

from errno import EHOSTUNREACH, ENOSYS, ESHUTDOWN
from typing import Any

import pytest

from flux.overlay.node import BROKER, DISCONNECT, REPLACED, SENT_AWAY, Node
from flux.overlay.notices import Broken, EventsLost, Gone, Joined, Noise, ParentLost, ParentReady, Refused
from flux.overlay.peers import CLAIM, HELLO, PROTOCOL, Hello
from flux.overlay.router import SEEKING, UPWARD
from flux.overlay.routes import Claim
from flux.wire.message import NORESPONSE, RING, UPSTREAM, BadMessage, Control, Event, Request, Response
from tests.overlay.cluster import Cluster, uuid

SEEDS = range(40)


# -- wiring up --------------------------------------------------------------------------------------------------------


def test_who_says_hello_is_told_that_it_may_stay() -> None:
    session = Cluster(2).wired()
    assert session.notices[1] == [ParentReady(b"^broker-0")]
    assert session.notices[0] == [Joined(b"broker-1", (1,))]
    assert session[1].joined


@pytest.mark.parametrize("seed", SEEDS)
def test_in_whatever_order_brokers_come_everybody_can_reach_everybody(seed: int) -> None:
    session = Cluster(11, seed=seed).wired()
    for rank in range(11):
        session.serve(rank, "a")
    for asker in range(11):
        for nodeid in range(11):
            session.ask(asker, "a.b", nodeid=nodeid)
            session.run()
            session.answer(nodeid)
            assert session.run().answers(asker) == [("a.b", 0)]


def test_who_comes_before_a_broker_takes_children_in_waits_at_the_door() -> None:
    session = Cluster(3, k=1)
    session.do(0, session[0].admit(True))
    session.attach(2, 1)
    session.run()
    assert not session[2].joined
    session.attach(1, 0)
    session.run()
    session.do(1, session[1].admit(True))
    session.run()
    assert session[2].joined
    assert session[0].router.routes.link(2) == b"broker-1"


def test_a_child_that_comes_while_we_say_hello_ourselves_is_told_upwards_as_well() -> None:
    session = Cluster(3, k=1)
    session.do(0, session[0].admit(None))  # type: ignore[arg-type]
    session.do(1, session[1].admit(True))
    session.attach(1, 0)
    session.attach(2, 1)
    session.run()
    session.do(0, session[0].admit(True))
    session.run()
    assert session[0].router.routes.link(2) == b"broker-1"


def test_an_event_that_is_published_while_we_say_hello_is_not_lost() -> None:
    session = Cluster(2)
    session.attach(1, 0)
    session.publish(1, "early")
    session.do(0, session[0].admit(True))
    session.run()
    assert session.heard[0] == session.heard[1] == ["early"]


def test_a_session_that_shuts_down_takes_nobody_in() -> None:
    session = Cluster(2)
    session.do(0, session[0].admit(False))
    session.attach(1, 0)
    session.run()
    assert session.notices[1] == [Refused(b"^broker-0", ESHUTDOWN, "rank 0 is shutting down")]


# -- requests ---------------------------------------------------------------------------------------------------------


def test_a_request_for_anybody_goes_up_to_the_next_broker_that_has_the_service() -> None:
    session = Cluster(7).wired()
    session.serve(0, "a")
    session.serve(1, "a")
    session.ask(3, "a.b")
    session.ask(6, "a.b")
    session.ask(3, "c.d")
    session.run()
    assert [len(session.inbox[rank]) for rank in (0, 1)] == [1, 1]
    assert session.answers(3) == [("c.d", ENOSYS)]


def test_a_request_for_upstream_passes_the_sender_by() -> None:
    session = Cluster(7).wired()
    session.serve(3, "a")
    session.serve(1, "a")
    session.ask(3, "a.b", nodeid=3, flags=UPSTREAM)
    session.run()
    assert [len(session.inbox[rank]) for rank in (1, 3)] == [1, 0]


def test_a_rank_that_nobody_knows_is_unreachable() -> None:
    session = Cluster(3).wired()
    session.ask(1, "a.b", nodeid=9)
    assert session.run().answers(1) == [("a.b", EHOSTUNREACH)]


# -- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_everybody_hears_every_event_once_and_in_the_same_order(seed: int) -> None:
    session = Cluster(11, seed=seed).wired()
    for n in range(5):
        for rank in (0, 4, 10):
            session.publish(rank, f"event.{rank}.{n}")
    session.run()
    assert len(session.heard[0]) == 15
    assert all(session.heard[rank] == session.heard[0] for rank in range(11))


@pytest.mark.parametrize("seed", SEEDS)
def test_lost_events_are_replayed_as_soon_as_somebody_waits_for_them(seed: int) -> None:
    session = Cluster(11, seed=seed).wired()
    dice = session.random
    session.loses = lambda event, rank: event.topic != "last" and dice.random() < 0.4
    for n in range(20):
        session.publish(0, f"event.{n}")
        if n % 4 == 0:
            session.step()
    session.publish(0, "last")
    session.run()
    assert all(session.heard[rank] == [*(f"event.{n}" for n in range(20)), "last"] for rank in range(11))
    assert not any(session[rank].waiting for rank in range(11))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_rank_0_sends_after_an_event_arrives_after_it_everywhere(seed: int) -> None:
    session = Cluster(11, seed=seed).wired()
    for rank in range(11):
        session.serve(rank, "a")
    dice = session.random
    session.loses = lambda event, rank: dice.random() < 0.2
    for n in range(10):
        session.publish(0, f"event.{n}")
        for rank in range(1, 11):
            session.ask(0, f"a.{n}", nodeid=rank, tag=100 * n + rank)
    session.run()
    for rank in range(1, 11):
        came = session.trace[rank]
        assert sorted(came) == sorted([*(f"event.{n}" for n in range(10)), *(f"a.{n}" for n in range(10))])
        assert all(came.index(f"event.{n}") < came.index(f"a.{n}") for n in range(10))


def test_a_lost_last_event_shows_with_the_next_message_whatever_it_is() -> None:
    session = Cluster(3, k=1).wired()
    session.loses = lambda event, rank: rank == 1
    session.publish(0, "lost")
    session.run()
    assert session.heard[2] == []
    session.ask(0, "a.b", nodeid=2)
    session.run()
    assert session.heard[1] == session.heard[2] == ["lost"]


def test_an_answer_waits_for_the_event_that_was_sent_before_it() -> None:
    session = Cluster(2).wired()
    session.serve(0, "kvs")
    session.loses = lambda event, rank: True
    session.ask(1, "kvs.commit")
    while session.step():
        pass
    session.publish(0, "kvs.setroot")
    session.answer(0)
    while session.step():
        pass
    assert session.trace[1] == []
    session.run()
    assert session.trace[1] == ["kvs.setroot", "kvs.commit"]


def test_who_comes_late_hears_what_comes_later() -> None:
    session = Cluster(3).wired(1)
    session.publish(0, "before")
    session.run()
    session.attach(2, 0)
    session.run()
    session.publish(0, "after")
    session.run()
    assert (session.heard[1], session.heard[2]) == (["before", "after"], ["after"])


def test_events_out_of_reach_are_declared_lost_to_everybody_below_and_the_rest_is_delivered() -> None:
    session = Cluster(3, k=1)
    session[0].events = type(session[0].events)(kept=4)
    session.wired()
    session.publish(0, "heard")
    session.run()
    session.loses = lambda event, rank: rank == 1
    for n in range(2, 11):
        session.publish(0, f"event.{n}")
    session.ask(0, "a.b", nodeid=2)
    session.run()
    expected = ["heard", "event.7", "event.8", "event.9", "event.10"]
    assert session.heard[1] == session.heard[2] == expected
    assert EventsLost(6) in session.notices[1] and EventsLost(6) in session.notices[2]
    assert not session[1].waiting and not session[2].waiting


def test_the_same_gap_is_asked_for_once_and_a_new_one_again() -> None:
    node = Node(1, uuid(1), 2)
    node.attach(b"^broker-0")
    node.receive(Response(topic=HELLO, data={"last": 0, "line": []}, matchtag=1), b"^broker-0")
    node.receive(Event(topic="b", sequence=2), b"^broker-0")
    assert len(node.overdue()) == 1
    assert node.overdue() == []
    node.receive(Event(topic="c", sequence=3), b"^broker-0")
    assert len(node.overdue()) == 1


# -- losses -----------------------------------------------------------------------------------------------------------


def test_a_leaf_that_dies_is_gone_everywhere_and_answers_its_askers() -> None:
    session = Cluster(7).wired()
    session.serve(5, "a")
    session.ask(3, "a.b", nodeid=5)
    session.ask(0, "a.b", nodeid=5)
    session.run()
    session.kill(5)
    session.run()
    assert session.answers(3) == session.answers(0) == [("a.b", EHOSTUNREACH)]
    assert (session.gone(2), session.gone(0)) == ([5], [5])
    session.ask(4, "a.b", nodeid=5)
    assert session.run().answers(4) == [("a.b", EHOSTUNREACH)]


def test_an_interior_broker_that_dies_takes_its_subtree_along() -> None:
    session = Cluster(7).wired()
    for rank in (0, 3):
        session.serve(rank, "a")
    session.ask(0, "a.b", nodeid=3)  # owed by what is behind the dead broker
    session.ask(3, "a.b", nodeid=0)  # owed to who is behind it
    session.run()
    session.kill(1)
    session.run()
    assert session.answers(0) == [("a.b", EHOSTUNREACH)]
    assert session.answers(3) == [("a.b", EHOSTUNREACH)]
    assert session.gone(0) == [1, 3, 4]
    assert [ParentLost("connection lost", b"^broker-1")] == session.notices[3][1:] == session.notices[4][1:]
    assert session[3].parent is None and not session[3].joined


def test_a_death_among_messages_of_another_kind_of_hop_is_told_to_those_who_lead_there() -> None:
    session = Cluster(3, k=1).wired()
    session.kill(2)
    session.run()
    assert session.notices[1][-1] == Gone((2,), (b"broker-2",), "connection lost")
    assert session.notices[0][-2:] == [Gone((2,), (), "connection lost"), Broken(b"broker-1", b"broker-2")]


def test_who_is_sent_away_goes_although_it_misses_events() -> None:
    session = Cluster(2).wired()
    steps = session[1].receive(Control(type=DISCONNECT), b"^broker-0", mark=99)
    assert (BROKER, ParentLost(SENT_AWAY, b"^broker-0")) in steps


def hello(rank: int, name: str, epoch: int) -> Request:
    claims = [Claim(rank, name, epoch)]
    return Request(topic=HELLO, data=Hello(rank, name, PROTOCOL, 0, claims).payload(), matchtag=1)


def test_a_later_broker_of_the_same_rank_makes_the_one_before_it_leave_for_good() -> None:
    node = Node(0, uuid(0), 3)
    node.admit(True)
    node.receive(hello(1, "first", 100), b"first")
    steps = node.receive(hello(1, "second", 200), b"second")
    assert (b"first", Control(type=DISCONNECT, status=2)) in steps
    assert (BROKER, Gone((1,), (b"first",), REPLACED)) in steps
    assert (BROKER, Joined(b"second", (1,))) in steps


def test_one_that_is_elsewhere_below_is_told_by_its_own_parent() -> None:
    node = Node(0, uuid(0), 4)
    node.admit(True)
    node.receive(hello(1, "one", 100), b"one")
    node.receive(hello(3, "first", 100), b"first")
    claim = {"claims": [Claim(3, "second", 200)], "withdrawn": [], "reason": ""}
    steps = node.receive(Request(topic=CLAIM, flags=NORESPONSE, data=claim), b"one")
    assert (b"first", Control(type=DISCONNECT, status=2)) in steps


def test_who_hears_that_another_broker_has_its_rank_looks_for_no_parent() -> None:
    session = Cluster(2).wired()
    steps = session[1].receive(Control(type=DISCONNECT, status=2), b"^broker-0")
    assert (BROKER, ParentLost(REPLACED, b"^broker-0")) in steps


def test_one_whose_clock_says_that_it_came_first_takes_the_rank_but_is_not_believed_for_good() -> None:
    node = Node(0, uuid(0), 3)
    node.admit(True)
    node.receive(hello(1, "first", 100), b"first")
    steps = node.receive(hello(1, "second", 50), b"second")
    assert not [step for step in steps if isinstance(step[1], Control)]
    assert (b"second", Control(type=DISCONNECT, status=2)) in node.receive(hello(1, "first", 101), b"first")


def test_a_broker_that_takes_leave_is_answered_and_is_gone_in_order() -> None:
    session = Cluster(3, k=1).wired()
    session.do(2, session[2].leave())
    session.run()
    assert session.notices[2][-1] == ParentLost("left", b"^broker-1")
    assert session.notices[0][-1] == Gone((2,), (), "administrative shutdown")


def test_who_has_no_parent_has_left_at_once() -> None:
    session = Cluster(1)
    session.do(0, session[0].leave())
    assert session.notices[0] == [ParentLost("left")]


@pytest.mark.parametrize("seed", SEEDS)
def test_every_request_is_answered_exactly_once_whoever_dies(seed: int) -> None:
    session = Cluster(15, seed=seed).wired()
    dice = session.random
    asked: dict[int, int] = dict.fromkeys(range(15), 0)
    answered: dict[int, int] = dict.fromkeys(range(15), 0)
    for rank in range(15):
        session.serve(rank, "a")
    for victim in dice.sample(range(1, 15), 3):
        for rank in session.nodes:
            for tag in range(3):
                session.ask(rank, "a.b", nodeid=dice.randrange(16), tag=asked[rank] + tag + 1)
            asked[rank] += 3
        for _ in range(dice.randrange(120)):
            session.step()
            if dice.random() < 0.3:
                rank = dice.choice(list(session.nodes))
                answered[rank] += len(session.answers(rank))
                session.answer(rank)
        if victim in session.nodes:
            session.kill(victim)
    for _ in range(4):
        session.run()
        for rank in session.nodes:
            answered[rank] += len(session.answers(rank))
            session.answer(rank)
    assert {rank: answered[rank] for rank in session.nodes} == {rank: asked[rank] for rank in session.nodes}


# -- another parent ---------------------------------------------------------------------------------------------------


def test_a_broker_with_a_new_parent_is_reached_there_with_all_below_it() -> None:
    session = Cluster(7).wired()
    session.cut(1, 3)
    session.attach(3, 2)
    session.run()
    assert session[0].router.routes.link(3) == b"broker-2"
    session.serve(3, "a")
    session.ask(4, "a.b", nodeid=3)
    session.run()
    session.answer(3)
    assert session.run().answers(4) == [("a.b", 0)]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_withdrawal_by_an_old_parent_does_not_undo_the_claim_of_the_new_one(seed: int) -> None:
    session = Cluster(15, seed=seed).wired()
    session.cut(0, 1)
    session.attach(1, 6)
    session.run()
    for rank in (1, 3, 4, 7, 8, 9, 10):
        assert session[0].router.routes.link(rank) == b"broker-2"
        assert session[6].router.routes.link(rank) == b"broker-1"


@pytest.mark.parametrize("seed", SEEDS)
def test_events_missed_between_two_parents_are_replayed_by_the_new_one(seed: int) -> None:
    session = Cluster(7, seed=seed).wired()
    session.publish(0, "before")
    for _ in range(seed % 4):
        session.step()
    session.cut(0, 1)
    session.publish(0, "between")
    for _ in range(seed % 3):
        session.step()
    session.attach(1, 2)
    session.publish(0, "after")
    session.run()
    assert all(session.heard[rank] == ["before", "between", "after"] for rank in range(7))


def test_a_child_that_says_hello_again_is_lost_first() -> None:
    session = Cluster(2).wired()
    session.attach(1, 0)
    session.run()
    assert [type(notice) for notice in session.notices[0]] == [Joined, Gone, Joined]
    assert session[0].router.routes.link(1) == b"broker-1"


# -- what no broker of ours would send --------------------------------------------------------------------------------


def test_a_stranger_is_sent_away_and_named() -> None:
    session = Cluster(2).wired()
    for mark in (0, 99):
        steps = session[0].receive(Request(topic="a.b", route=(b"x",)), b"stranger", mark)
        assert steps == [
            (b"stranger", Control(type=DISCONNECT)),
            ("broker", Noise("message from a stranger: a.b")),
        ]
    assert not session[0].waiting


def test_a_broker_that_is_sent_away_has_lost_its_parent() -> None:
    session = Cluster(2).wired()
    session.do(1, session[1].receive(Control(type=DISCONNECT), b"^broker-0"))
    assert session.notices[1][-1] == ParentLost("the parent sent us away", b"^broker-0")


@pytest.mark.parametrize("data", [None, {"claims": 3}, {"claims": [], "withdrawn": {}, "reason": ""}, b"\xff"])
def test_a_claim_that_is_none_is_a_bad_message(data: bytes | dict[str, Any] | None) -> None:
    session = Cluster(2).wired()
    with pytest.raises(BadMessage):
        session[0].receive(Request(flags=NORESPONSE, topic=CLAIM, data=data), b"broker-1")


def test_private_talk_that_means_nothing_is_ignored_and_named() -> None:
    session = Cluster(2).wired()
    for rank, via in ((0, b"broker-1"), (1, b"^broker-0")):
        steps = session[rank].receive(Request(topic="overlay.nonsense"), via)
        assert steps == [("broker", Noise("unexpected overlay.nonsense between brokers"))]


def test_only_a_parent_brings_numbered_events_and_only_a_child_new_ones() -> None:
    session = Cluster(3, k=1).wired()
    session.do(1, session[1].receive(Event(topic="forged", sequence=1), b"^broker-2"))
    session.do(0, session[0].receive(Event(topic="forged"), b"stranger"))
    session.run()
    assert session.heard == {0: [], 1: [], 2: []}


def test_who_leaves_before_its_request_goes_round_the_ring_is_waited_for_by_nobody() -> None:
    node = Node(0, "broker-0", 3)
    for topic, tag, flags in (("a.b", 1, 0), ("a.disconnect", 0, NORESPONSE)):
        node.send(Request(topic=topic, nodeid=RING | 2, matchtag=tag, flags=flags), b"me")
    steps = node.ring_closed(b">broker-1")
    assert [msg.topic for hop, msg in steps if isinstance(msg, Request)] == ["a.disconnect"]
    assert node.router.pending.count(b">broker-1") == 0


def test_a_request_that_waits_for_a_parent_is_not_sent_for_who_is_gone_meanwhile() -> None:
    session = Cluster(5).wired()
    session.serve(2, "a")
    node = session[1]
    node.lost(UPWARD + b"broker-0", "gone")
    for child in (b"broker-3", b"broker-4"):
        node.receive(Request(topic="a.b", nodeid=2, matchtag=1, route=(b"me",)), child)
    node.lost(b"broker-3", "gone")
    session.attach(1, 0)
    session.run()
    assert [msg.route[-2] for msg in session.inbox[2]] == [b"broker-4"]
    assert node.router.pending.count(UPWARD + b"broker-0") == 1


def test_a_request_that_waits_for_a_parent_is_refused_when_there_is_none() -> None:
    session = Cluster(3, k=1).wired()
    session[1].lost(UPWARD + b"broker-0", "gone")
    session.ask(2, "a.b", nodeid=0)
    session.run()
    assert session[1].router.pending.count(SEEKING) == 1
    session.do(1, session[1].give_up())
    session.run()
    assert session.answers(2) == [("a.b", EHOSTUNREACH)]
    assert session[1].router.pending.count(SEEKING) == 0
