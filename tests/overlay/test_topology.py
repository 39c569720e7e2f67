"""The shape of the tree that a session starts with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.overlay.topology import Kary, Topology, topology

texts = st.one_of(
    st.builds("kary:{}".format, st.integers(0, 40)),
    st.builds("mincrit:{}".format, st.integers(0, 40)),
    st.sampled_from(["mincrit", "binomial", "custom"]),
)
trees = st.builds(topology, texts, st.integers(1, 300))


def parents(tree: Topology) -> list[int | None]:
    return [tree.parent(rank) for rank in range(tree.size)]


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


def test_a_binomial_tree_of_eight() -> None:
    tree = topology("binomial", 8)
    assert parents(tree) == [None, 0, 0, 2, 0, 4, 4, 6]
    assert list(tree.children(4)) == [5, 6]
    assert [tree.descendants(rank) for rank in (0, 2, 4, 6)] == [7, 1, 3, 1]
    assert tree.maxlevel() == 3


def test_mincrit_deals_the_leaves_out_to_a_few_routers() -> None:
    assert parents(topology("mincrit:2", 8)) == [None, 0, 0, 1, 2, 1, 2, 1]
    assert parents(topology("mincrit:9", 4)) == [None, 0, 0, 0]
    assert topology("mincrit:0", 2000).maxlevel() == 1


@pytest.mark.parametrize(("size", "routers"), [(1, 0), (1025, 0), (1026, 2), (2051, 2), (2052, 3), (10_000, 10)])
def test_mincrit_takes_as_few_routers_as_are_enough(size: int, routers: int) -> None:
    tree = topology("mincrit", size)
    below = [len(tree.children(rank)) for rank in range(1, routers + 1)]
    assert len(tree.children(0)) == (routers or size - 1)
    assert sum(below) == (size - 1 - routers if routers else 0)
    assert max(below, default=0) <= 1024


def test_a_custom_tree_is_as_its_table_says_and_flat_where_it_says_nothing() -> None:
    tree = topology("custom", 6, {2: 5, 3: 2, 4: 2})
    assert parents(tree) == [None, 0, 5, 2, 2, 0]
    assert [tree.level(rank) for rank in range(6)] == [0, 1, 2, 3, 3, 1]
    assert tree.descendants(5) == 3


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({1: 1}, "a cycle of parents: ranks 1 -> 1"),
        ({1: 2, 2: 3, 3: 2}, "a cycle of parents: ranks 2 -> 3 -> 2"),
        ({0: 1}, "rank 0 cannot have a parent"),
        ({1: 9}, "rank 9 as the parent of 1: ranks are 0 to 3"),
        ({9: 1}, "rank 1 as the parent of 9: ranks are 0 to 3"),
    ],
)
def test_parents_that_make_no_tree_are_named(table: dict[int, int], reason: str) -> None:
    with pytest.raises(OSError, match=reason):
        topology("custom", 4, table)


@pytest.mark.parametrize("text", ["kary:1", "kary:2", "kary:0", "mincrit", "mincrit:100", "binomial", "custom"])
def test_all_of_ten_thousand_ranks_are_where_their_parents_say(text: str) -> None:
    tree = topology(text, 10_000)
    assert tree.descendants(0) == 9_999
    assert sum(len(tree.children(rank)) for rank in range(10_000)) == 9_999
    assert all(tree.level(rank) == tree.level(tree.parent(rank) or 0) + 1 for rank in range(1, 10_000))


def test_of_a_chain_of_ten_thousand_both_ends_are_known() -> None:
    table = {rank: rank - 1 for rank in range(2, 10_000)}
    tree = topology("custom", 10_000, table)
    assert (tree.maxlevel(), tree.level(1), tree.descendants(1)) == (9_999, 1, 9_998)


@given(trees)
def test_everybody_but_rank_0_has_a_parent_with_a_smaller_rank(tree: Topology) -> None:
    assert tree.parent(0) is None
    for rank in range(1, tree.size):
        parent = tree.parent(rank)
        assert parent is not None and 0 <= parent < rank


@given(trees)
def test_who_has_a_parent_is_a_child_of_that_parent_and_of_no_other(tree: Topology) -> None:
    found = {child: rank for rank in range(tree.size) for child in tree.children(rank)}
    assert found == {rank: tree.parent(rank) for rank in range(1, tree.size)}


@given(trees)
def test_descendants_are_the_children_and_theirs(tree: Topology) -> None:
    for rank in range(tree.size):
        assert tree.descendants(rank) == sum(1 + tree.descendants(child) for child in tree.children(rank))


@given(trees)
def test_nobody_is_deeper_than_the_tree(tree: Topology) -> None:
    assert tree.maxlevel() == max(tree.level(rank) for rank in range(tree.size))


@given(trees)
def test_a_topology_reads_what_it_shows(tree: Topology) -> None:
    assert topology(str(tree), tree.size) == tree


@pytest.mark.parametrize(
    "text",
    [
        "foo",
        "kary",
        "kary:",
        "kary:x",
        "kary:-1",
        "kary:2:3",
        "",
        "KARY:2",
        "kary:²",
        "mincrit:",
        "mincrit:x",
        "binomial:",
        "binomial:2",
        "custom:1",
    ],
)
def test_what_is_no_topology_is_named(text: str) -> None:
    with pytest.raises(OSError, match=f"tbon.topo: unknown topology '{text}'"):
        topology(text, 4)
