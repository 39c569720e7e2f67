"""Nodes that get another parent while they run: nothing is lost, doubled, or sent in circles."""

from errno import EHOSTUNREACH, ELOOP
from random import Random

import pytest

from flux.overlay.notices import Gone, Moved
from flux.overlay.router import UPWARD
from flux.wire.message import NORESPONSE, STREAMING, UPSTREAM, Message, Request, Response
from tests.overlay.cluster import Cluster, uuid

SEEDS = (*range(40), 126, 266, 387, 442, 965, 1012, 1156, 1458)
"""Some of these once made a loop, or a rank that nobody led to."""


def reached(session: Cluster) -> None:
    """Everybody reaches everybody, and hears the same events."""
    for rank in session.nodes:
        if session[rank].router.owner("a") is None:
            session.serve(rank, "a")
    for asker in session.nodes:
        for nodeid in session.nodes:
            session.ask(asker, "a.b", nodeid=nodeid)
            session.run()
            session.answer(nodeid)
            assert session.run().answers(asker) == [("a.b", 0)], (asker, nodeid)


def move(session: Cluster, rank: int, parent: int) -> None:
    """A planned move, from hello to the end of the old link."""
    session.attach(rank, parent)
    session.run()
    session.depart()
    session.run()


def test_a_broker_that_moves_is_reached_by_its_new_parent_and_nobody_hears_of_a_loss() -> None:
    session = Cluster(7).wired()
    move(session, 3, 2)
    assert session[2].children.ranks == [3, 5, 6] and session[1].children.ranks == [4]
    assert session[0].router.routes.link(3) == b"broker-2"
    assert not any(isinstance(notice, Gone) and notice.ranks for rank in (0, 1) for notice in session.notices[rank])
    reached(session)


def test_the_old_link_stays_until_what_is_open_over_it_is_answered() -> None:
    session = Cluster(7).wired()
    session.serve(3, "a")
    session.serve(0, "b")
    session.ask(0, "a.b", nodeid=3)
    session.ask(3, "b.c", nodeid=0)
    session.run()
    move(session, 3, 2)
    assert UPWARD + uuid(1).encode() in session[3].above.former
    session.answer(3)
    session.run()
    assert UPWARD + uuid(1).encode() in session[3].above.former
    session.answer(0)
    session.run()
    assert not session[3].above.former and not session[1].children.former
    assert session.answers(0) == [("a.b", 0)]
    assert session.answers(3) == [("b.c", 0)]
    assert Moved(b"broker-3") in session.notices[1]


def test_nobody_moves_below_itself_or_its_descendants() -> None:
    session = Cluster(7).wired()
    with pytest.raises(OSError, match="rank 3 is below rank 1"):
        session[1].above.check(3)
    with pytest.raises(OSError, match="rank 1 cannot be its own parent"):
        session[1].above.check(1)
    session[1].above.check(2)


def test_a_descendant_that_is_not_known_as_one_yet_takes_nobody_in_who_is_above_it() -> None:
    session = Cluster(7).wired()
    hello = session[1].attach(b"^broker-3")[0][1]
    assert isinstance(hello, Message)
    steps = session[3].receive(hello, b"broker-1")
    assert [(hop, msg.errnum) for hop, msg in steps if isinstance(msg, Response)] == [(b"broker-1", ELOOP)]


@pytest.mark.parametrize("seed", SEEDS)
def test_of_two_that_want_each_other_as_parents_one_is_refused(seed: int) -> None:
    session = Cluster(3, seed=seed).wired()
    session.attach(1, 2)
    session.attach(2, 1)
    session.run()
    session.depart()
    session.run()
    assert UPWARD + b"broker-0" in (session[1].parent, session[2].parent)
    reached(session)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_loop_is_ever_made_however_many_move_at_once(seed: int) -> None:
    session = Cluster(13, seed=seed).wired()
    dice = session.random
    for _ in range(12):
        rank, parent = dice.randrange(1, 13), dice.randrange(13)
        try:
            session[rank].above.check(parent)
        except OSError:
            continue
        if session[rank].parent != UPWARD + uuid(parent).encode() and session[rank].above.suitor is None:
            session.attach(rank, parent)
        for _ in range(dice.randrange(30)):
            session.step()
        if dice.random() < 0.5:
            session.run()
            session.depart()
    session.run()
    session.depart()
    session.run()
    assert not any(node.above.former for node in session.nodes.values())
    for rank in session.nodes:
        path = [rank]
        while path[-1]:
            above = session[path[-1]].parent
            assert above is not None
            path.append(session.ranks[above.lstrip(UPWARD)])
            assert len(path) <= 13, f"a loop: {path}"
    reached(session)


def test_who_is_not_taken_back_keeps_what_is_open_with_a_former_parent() -> None:
    session = Cluster(7).wired()
    session.serve(1, "a")
    session.ask(3, "a.b", nodeid=1)
    session.run()
    move(session, 3, 2)
    session.do(1, session[1].admit(False))
    session.attach(3, 1)
    session.run()
    assert session[3].parent == b"^broker-2" and b"^broker-1" in session[3].above.former
    session.answer(1)
    assert session.run().answers(3) == [("a.b", 0)]
    assert not session[3].above.former and not session[1].children.former


def test_who_is_taken_in_after_it_has_stopped_waiting_says_that_it_has_moved() -> None:
    session = Cluster(7).wired()
    session.serve(1, "a")
    session.ask(3, "a.b", nodeid=1)
    session.run()
    move(session, 3, 2)
    session.attach(3, 1)
    session.do(3, session[3].forsake(b"^broker-1"))
    session.run()
    assert session[3].parent == b"^broker-2" and session[1].children.ranks == [4]
    session.answer(1)
    assert session.run().answers(3) == [("a.b", 0)]


def test_whoever_has_a_new_parent_asks_the_old_one_for_no_more() -> None:
    session = Cluster(7).wired()
    session.serve(1, "a")
    session.ask(3, "a.follow", nodeid=3, flags=UPSTREAM | STREAMING, tag=5)
    session.run()
    session.attach(3, 2)
    session.run()
    cancel = Request(topic="a.cancel", nodeid=3, flags=UPSTREAM | NORESPONSE, data={"matchtag": 5})
    session.do(3, session[3].send(cancel, b"me"))
    session.run()
    assert [msg.topic for msg in session.inbox[1] if isinstance(msg, Request)] == ["a.follow", "a.cancel"]


@pytest.mark.parametrize("seed", SEEDS)
def test_orphans_that_go_to_the_next_ancestor_lose_no_event_and_no_answer(seed: int) -> None:
    session = Cluster(15, seed=seed).wired()
    session.heals = True
    dice = session.random
    asked, answered = dict.fromkeys(range(15), 0), dict.fromkeys(range(15), 0)
    for rank in range(15):
        session.serve(rank, "a")
    published = 0
    for victim in dice.sample(range(1, 7), 3):
        for rank in session.nodes:
            for _ in range(3):
                asked[rank] += 1
                session.ask(rank, "a.b", nodeid=dice.randrange(16), tag=asked[rank])
        session.publish(0, f"event.{published}")
        published += 1
        for _ in range(dice.randrange(150)):
            session.step()
            answer_some(session, dice, answered)
        session.kill(victim)
    session.run()
    for _ in range(4):
        for rank in session.nodes:
            session.answer(rank)
        session.run()
    for rank in session.nodes:
        answered[rank] += len(session.answers(rank))
        assert answered[rank] == asked[rank], f"rank {rank}"
        assert session.heard[rank] == [f"event.{n}" for n in range(published)]
    reached(session)
    session.ask(0, "a.b", nodeid=99)
    assert session.run().answers(0) == [("a.b", EHOSTUNREACH)]


def answer_some(session: Cluster, dice: Random, answered: dict[int, int]) -> None:
    """Now and then somebody answers, and somebody looks at what it was answered."""
    if dice.random() < 0.3:
        rank = dice.choice(list(session.nodes))
        answered[rank] += len(session.answers(rank))
        session.answer(rank)
