"""Task maps: RFC 34's own examples, and every text read back."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base.taskmap import Block, Taskmap

blocks = st.lists(st.builds(Block, *[st.integers(0, 5), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3)]))

RAW = [
    ("0-3;4-7;8-11;12-15", "[[0,4,4,1]]"),
    ("0,4,8,12;1,5,9,13;2,6,10,14;3,7,11,15", "[[0,4,1,4]]"),
    ("0-1,8-9;2-3,10-11;4-5,12-13;6-7,14-15", "[[0,4,2,2]]"),
    ("12-15;8-11;4-7;0-3", "[[3,1,4,1],[2,1,4,1],[1,1,4,1],[0,1,4,1]]"),
    ("0;1;2", "[[0,3,1,1]]"),
    ("0-1;2-4;5", "[[0,1,2,1],[1,1,3,1],[2,1,1,1]]"),
]


@pytest.mark.parametrize(("raw", "text"), RAW)
def test_raw_maps_take_the_fewest_blocks(raw: str, text: str) -> None:
    made = Taskmap.decode(raw)
    assert made.encode() == text
    assert Taskmap.decode(text).raw() == raw


def test_a_map_is_made_from_each_tasks_node() -> None:
    assert Taskmap.of_nodes([0, 0, 1, 1]).encode() == "[[0,2,2,1]]"
    assert Taskmap.of_nodes([0, 1, 0, 1]).encode() == "[[0,2,1,2]]"


@given(blocks)
def test_every_text_reads_back(some: list[Block]) -> None:
    made = Taskmap(some)
    assert Taskmap.decode(made.encode()) == made
    assert Taskmap.decode(made.encode(wrapped=True)) == made
    assert list(Taskmap.decode(made.pmi()).runs()) == list(made.runs()) or _nodes(Taskmap.decode(made.pmi())) == _nodes(
        made
    )


@given(blocks)
def test_nodes_and_tasks_agree(some: list[Block]) -> None:
    made = Taskmap(some)
    nodes = _nodes(made)
    assert len(nodes) == made.ntasks
    assert [made.nodeid(task) for task in range(made.ntasks)] == nodes
    for node in range(made.nnodes):
        assert list(made.taskids(node)) == [task for task, on in enumerate(nodes) if on == node]
    assert _nodes(Taskmap.of_nodes(nodes)) == nodes


def _nodes(made: Taskmap) -> list[int]:
    return [node for node, _, count in made.runs() for _ in range(count)]


def test_the_process_mapping_is_pmi_1s() -> None:
    assert Taskmap.decode("[[0,4,4,1]]").pmi() == "(vector,(0,4,4))"
    assert Taskmap.decode("[[0,4,1,2]]").pmi() == "(vector,(0,4,1),(0,4,1))"
    assert Taskmap.decode("(vector,(0,1,2))").encode() == "[[0,1,2,1]]"
    assert Taskmap.decode("(vector, (0,16,16), (16,1,8))").ntasks == 264
    assert Taskmap().pmi() == ""
    assert Taskmap.decode("").unknown


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "1",
        "null",
        "[1]",
        "[[0,1,1]]",
        "[[0,0,1,1]]",
        "[[-1,1,1,1]]",
        "[[0,1,1,true]]",
        '{"version":2,"map":[]}',
        "(vector,)",
        "(vector,(1,1))",
        "vector,(0,1,1)",
        "(vector,(0,0,1))",
        "0-3;2-5",
        "1-2",
        "0;2",
        "x",
        "[[0,1,1,1]",
        "[[0,1000000,1000000,1]]",
        "(vector,(0,99999999,9999999))",
        "0-999999999",
    ],
)
def test_bad_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Taskmap.decode(text)


@given(st.text() | st.from_regex(r"\(vector,[()0-9,]*"))
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        Taskmap.decode(text)


def test_a_task_that_is_not_there_has_no_node() -> None:
    with pytest.raises(LookupError):
        Taskmap.decode("[[0,4,4,1]]").nodeid(16)
    assert str(Taskmap.decode("[[0,4,4,1]]").taskids(9)) == ""
