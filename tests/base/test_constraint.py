"""Constraints of RFC 31: which ranks match, and what is no constraint."""

from typing import Any

import pytest

from flux.base.constraint import Nodes, parse
from flux.base.invalid import Invalid

NODES = Nodes(
    frozenset(range(6)),
    {rank: f"node{rank}" for rank in range(6)},
    {"fast": frozenset((0, 1)), "big": frozenset((1, 2, 3))},
)


@pytest.mark.parametrize(
    ("constraint", "ranks"),
    [
        ({}, "012345"),
        ({"and": []}, "012345"),
        ({"or": []}, "012345"),
        ({"not": []}, ""),
        ({"properties": ["fast"]}, "01"),
        ({"properties": ["fast", "big"]}, "1"),
        ({"properties": ["^fast"]}, "2345"),
        ({"properties": ["nobody-has-it"]}, ""),
        ({"hostlist": ["node[1-2]", "node5"]}, "125"),
        ({"ranks": ["0-1", "4"]}, "014"),
        ({"not": [{"properties": ["fast"]}]}, "2345"),
        ({"not": [{"properties": ["fast"]}, {"ranks": ["1"]}]}, "02345"),
        ({"or": [{"properties": ["fast"]}, {"ranks": ["5"]}]}, "015"),
        ({"and": [{"properties": ["big"]}, {"not": [{"ranks": ["1"]}]}]}, "23"),
    ],
)
def test_who_matches(constraint: Any, ranks: str) -> None:
    assert "".join(map(str, sorted(parse(constraint)(NODES)))) == ranks


@pytest.mark.parametrize(
    ("constraint", "text"),
    [
        ([], "not an object"),
        ({"foo": []}, "unknown operator 'foo'"),
        ({"properties": "a"}, "properties: not a list"),
        ({"properties": [1]}, "properties: 1 is not a string"),
        ({"properties": ["a&b"]}, "properties: 'a&b' is not a property"),
        ({"properties": ["^"]}, "properties: '^' is not a property"),
        ({"hostlist": ["a[1-"]}, "hostlist: 'a[1-' is not a hostlist"),
        ({"ranks": ["x"]}, "ranks: 'x' is not an idset"),
        ({"and": [{"or": [3]}]}, "not an object"),
        ({"a": [], "b": []}, "an object has one operator"),
    ],
)
def test_what_is_no_constraint_says_why(constraint: Any, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(constraint)
    assert str(caught.value) == text
