"""Whom an orphan asks, in which order."""

from flux.overlay.refuge import Search, refuges
from flux.overlay.routes import Claim

LINE = [Claim(rank, f"uuid{rank}", 1) for rank in range(20, -1, -1)]


def asked(said: dict[int, str], candidates: list[Claim] = LINE) -> list[int]:
    search, ranks = Search(candidates), []
    while (candidate := search.candidate) is not None:
        ranks.append(candidate.rank)
        search.next(said.get(candidate.rank, ""))
    return ranks


def test_a_parent_that_is_gone_is_asked_last_and_one_that_lives_first() -> None:
    assert [claim.rank for claim in refuges(LINE[-3:], parent_lives=False)] == [1, 0, 2]
    assert [claim.rank for claim in refuges(LINE[-3:], parent_lives=True)] == [2, 1, 0]


def test_all_are_asked_who_say_different_things_or_nothing() -> None:
    assert asked({}) == asked({rank: f"not {rank}" for rank in range(21)}) == list(range(20, -1, -1))


def test_where_all_say_the_same_the_steps_grow_and_rank_0_is_not_left_out() -> None:
    assert asked(dict.fromkeys(range(21), "busy")) == [20, 19, 17, 13, 5, 0]
    assert asked(dict.fromkeys(range(14, 21), "busy")) == [20, 19, 17, *range(13, -1, -1)]
    assert asked(dict.fromkeys(range(21), "busy"), refuges(LINE, parent_lives=False)) == [19, 18, 16, 12, 4, 0, 20]
