"""The shape of the tree that a session starts with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.overlay.topology import Kary, topology

trees = st.builds(Kary, st.integers(0, 40), st.integers(1, 300))


def test_a_binary_tree_of_seven() -> None:
    tree = Kary(2, 7)
    assert [tree.parent(rank) for rank in range(7)] == [None, 0, 0, 1, 1, 2, 2]
    assert [list(tree.children(rank)) for rank in range(7)] == [[1, 2], [3, 4], [5, 6], [], [], [], []]
    assert [tree.level(rank) for rank in range(7)] == [0, 1, 1, 2, 2, 2, 2]
    assert [tree.descendants(rank) for rank in range(7)] == [6, 2, 2, 0, 0, 0, 0]
    assert tree.maxlevel() == 2


def test_kary_0_is_flat() -> None:
    tree = topology("kary:0", 5)
    assert list(tree.children(0)) == [1, 2, 3, 4]
    assert [tree.parent(rank) for rank in range(5)] == [None, 0, 0, 0, 0]
    assert [tree.descendants(rank) for rank in range(3)] == [4, 0, 0]
    assert list(tree.children(3)) == []


def test_kary_1_is_a_chain() -> None:
    tree = Kary(1, 4)
    assert [tree.parent(rank) for rank in range(4)] == [None, 0, 1, 2]
    assert [tree.descendants(rank) for rank in range(4)] == [3, 2, 1, 0]


@given(trees)
def test_everybody_but_rank_0_has_a_parent_with_a_smaller_rank(tree: Kary) -> None:
    assert tree.parent(0) is None
    for rank in range(1, tree.size):
        parent = tree.parent(rank)
        assert parent is not None and 0 <= parent < rank


@given(trees)
def test_who_has_a_parent_is_a_child_of_that_parent_and_of_no_other(tree: Kary) -> None:
    found = {child: rank for rank in range(tree.size) for child in tree.children(rank)}
    assert found == {rank: tree.parent(rank) for rank in range(1, tree.size)}


@given(trees)
def test_descendants_are_the_children_and_theirs(tree: Kary) -> None:
    for rank in range(tree.size):
        assert tree.descendants(rank) == sum(1 + tree.descendants(child) for child in tree.children(rank))


@given(trees)
def test_nobody_is_deeper_than_the_tree(tree: Kary) -> None:
    assert tree.maxlevel() == max(tree.level(rank) for rank in range(tree.size))


@given(trees)
def test_a_topology_reads_what_it_shows(tree: Kary) -> None:
    assert topology(str(tree), tree.size) == tree


@pytest.mark.parametrize("text", ["foo", "kary", "kary:", "kary:x", "kary:-1", "kary:2:3", "", "KARY:2", "kary:²"])
def test_what_is_no_topology_is_named(text: str) -> None:
    with pytest.raises(OSError, match=f"tbon.topo: unknown topology '{text}'"):
        topology(text, 4)
