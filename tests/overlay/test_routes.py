"""Learned routes: the newer claim wins, whichever comes first."""

from hypothesis import given
from hypothesis import strategies as st

from flux.overlay.routes import Change, Claim, Routes

A, B = b"link-a", b"link-b"


def claim(rank: int, epoch: int = 1) -> Claim:
    return Claim(rank, f"uuid-{rank}", epoch)


def test_a_claimed_rank_is_reached_over_the_link_that_claims_it() -> None:
    routes = Routes()
    assert routes.claim(A, [claim(3), claim(4)]) == [claim(3), claim(4)]
    assert (routes.link(3), routes.link(4), routes.link(5)) == (A, A, None)
    assert len(routes) == 2
    assert routes.claims() == [claim(3), claim(4)]


def test_a_claim_that_is_known_is_no_news() -> None:
    routes = Routes()
    routes.claim(A, [claim(3)])
    assert routes.claim(A, [claim(3)]) == []


def test_the_newer_claim_wins_whichever_comes_first() -> None:
    for order in ([(A, 1), (B, 2)], [(B, 2), (A, 1)]):
        routes = Routes()
        for link, epoch in order:
            routes.claim(link, [claim(3, epoch)])
        assert routes.link(3) == B


def test_the_withdrawal_of_an_old_claim_does_not_undo_a_newer_one() -> None:
    routes = Routes()
    routes.claim(A, [claim(3, 1)])
    routes.claim(B, [claim(3, 2)])
    assert routes.withdraw(A, [3]) == Change([], [])
    assert routes.link(3) == B
    assert routes.withdraw(B, [3]) == Change([claim(3, 2)], [])
    assert routes.link(3) is None


def test_a_withdrawal_that_comes_before_the_newer_claim_changes_nothing_in_the_end() -> None:
    routes = Routes()
    routes.claim(A, [claim(3, 1)])
    routes.withdraw(A, [3])
    routes.claim(B, [claim(3, 2)])
    assert routes.link(3) == B


def test_a_link_cannot_withdraw_what_another_claims() -> None:
    routes = Routes()
    routes.claim(A, [claim(3)])
    assert routes.withdraw(B, [3, 4]) == Change([], [])
    assert routes.link(3) == A


def test_a_dropped_link_takes_along_what_it_claims_and_no_more() -> None:
    routes = Routes()
    routes.claim(A, [claim(3), claim(4)])
    routes.claim(B, [claim(5), claim(4, 2)])
    assert routes.drop(A) == Change([claim(3)], [])
    assert [routes.link(rank) for rank in (3, 4, 5)] == [None, B, B]


moves = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([A, B])), min_size=1, max_size=8)


@given(moves, st.data())
def test_the_last_of_several_moves_wins_in_whatever_order_the_news_come(
    steps: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    """Each step: a rank attaches over a link, and its old link withdraws it. News of one link keep their order."""
    news: dict[bytes, list[tuple[str, Claim]]] = {A: [], B: []}
    where: dict[int, tuple[bytes, int]] = {}
    for rank, link in steps:
        old, epoch = where.get(rank, (None, 0))
        if old is not None:
            news[old].append(("withdraw", claim(rank, epoch)))
        news[link].append(("claim", claim(rank, epoch + 1)))
        where[rank] = link, epoch + 1
    routes = Routes()
    while any(news.values()):
        link = data.draw(st.sampled_from([link for link, waiting in news.items() if waiting]))
        verb, about = news[link].pop(0)
        if verb == "claim":
            routes.claim(link, [about])
        else:
            routes.withdraw(link, [about.rank])
    assert {rank: routes.link(rank) for rank in where} == {rank: link for rank, (link, _) in where.items()}


def test_whichever_of_two_claims_is_withdrawn_the_other_one_stays() -> None:
    for first, second in ((A, B), (B, A)):
        routes = Routes()
        routes.claim(A, [claim(3, 1)])
        routes.claim(B, [claim(3, 1)])
        change = routes.withdraw(first, [3])
        assert not change.gone
        assert routes.link(3) == second
        assert routes.drop(second) == Change([claim(3, 1)], [])


def test_an_older_claim_comes_into_force_when_the_newer_one_is_withdrawn() -> None:
    routes = Routes()
    routes.claim(B, [claim(3, 2)])
    assert routes.claim(A, [claim(3, 1)]) == []
    assert routes.drop(B) == Change([], [claim(3, 1)])
    assert routes.link(3) == A
