"""Who served somebody whose way back is broken stops: every broker hears of a break, once, as it sees it."""

from flux.overlay.breaks import REMEMBERED, Breaks
from flux.overlay.notices import Broken
from tests.overlay.cluster import Cluster


def heard(session: Cluster, rank: int) -> list[Broken]:
    """The breaks that a rank was told of."""
    return [notice for notice in session.notices[rank] if isinstance(notice, Broken)]


def test_those_below_hear_that_somebody_far_above_is_gone() -> None:
    session = Cluster(5, k=1).wired()
    session.heals = True
    session.kill(1)
    session.run()
    assert heard(session, 3) == heard(session, 4) == [Broken(b"^broker-2", b"^broker-1")]
    assert heard(session, 2) == []  # it was the one to notice


def test_those_elsewhere_hear_that_a_caller_is_gone() -> None:
    session = Cluster(7).wired()
    session.kill(3)
    session.run()
    for rank in (0, 2, 4, 5, 6):
        near = b"^broker-1" if rank == 4 else b"broker-1"
        assert heard(session, rank) == [Broken(near, b"broker-3")]


def test_nobody_waits_for_answers_that_cannot_get_back() -> None:
    session = Cluster(7).wired()
    session.serve(6, "a")
    session.ask(3, "a.b", nodeid=6)
    session.run()
    assert session[2].router.pending.count(b"broker-6") == 1
    session.kill(3)
    session.run()
    assert session[2].router.pending.count(b"broker-6") == session[0].router.pending.count(b"broker-2") == 0


def test_a_broker_with_two_parents_passes_a_break_on_once() -> None:
    session = Cluster(7).wired()
    session.serve(1, "a")
    session.ask(3, "a.b", nodeid=1)  # what is open keeps the link to the old parent
    session.run()
    session.attach(3, 2)
    session.run()
    session.depart()
    session.run()
    session.kill(6)
    session.run()
    assert len(heard(session, 3)) == len(heard(session, 1)) == 1


def test_who_leaves_in_order_breaks_nothing() -> None:
    session = Cluster(3, k=1).wired()
    session.do(2, session[2].leave())
    session.run()
    assert heard(session, 0) == []


def test_what_was_heard_is_remembered_for_long_but_not_for_ever() -> None:
    breaks = Breaks()
    for n in range(REMEMBERED + 1):
        breaks.add(str(n))
    assert "1" in breaks and str(REMEMBERED) in breaks and "0" not in breaks
    assert (breaks.number(), breaks.number()) == (1, 2)
