"""The tree as brokers say that it is."""

from typing import Any

from flux.overlay.wired import wired


def shape(tree: dict[str, Any]) -> Any:
    return tree["rank"], [shape(child) for child in tree["children"]]


def test_a_rank_is_below_who_says_to_have_it() -> None:
    tree = wired(0, {0: [1, 2], 2: [4, 3]}, {})
    assert shape(tree) == (0, [(1, []), (2, [(3, []), (4, [])])])
    assert [tree["size"], *(child["size"] for child in tree["children"])] == [5, 1, 3]


def test_who_is_claimed_by_nobody_is_where_it_belongs() -> None:
    assert shape(wired(0, {0: [1, 2]}, {3: 1, 4: 9})) == (0, [(1, [(3, [])]), (2, []), (4, [])])
    assert shape(wired(0, {0: [1]}, {1: 7})) == (0, [(1, [])])


def test_who_is_just_moving_is_shown_once_and_makes_no_loop() -> None:
    assert shape(wired(0, {0: [1, 2], 1: [3], 2: [3], 3: [1, 0]}, {})) == (0, [(1, [(3, [])]), (2, [])])
