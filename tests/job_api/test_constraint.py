"""Queries for nodes (RFC 35) as constraints (RFC 31)."""

from typing import Any, ClassVar

import pytest

from flux.job import ConstraintParser, ConstraintSyntaxError, MiniConstraintParser


class Parser(ConstraintParser):
    """A word alone is of t."""

    operator_map: ClassVar = {None: "t", "a": "op-a"}


A, B, C = ({"t": [word]} for word in "abc")


@pytest.mark.parametrize(
    ("query", "constraint"),
    [
        ("a", A),
        (" ( 'a' ) ", A),
        ("a|b", {"or": [A, B]}),
        ("a or b || c", {"or": [A, B, C]}),
        ("a b & c", {"and": [A, B, C]}),
        ("a && b AND c", {"and": [A, B, C]}),
        ("a b|c", {"or": [{"and": [A, B]}, C]}),
        ("a|b c", {"or": [A, {"and": [B, C]}]}),
        ("(a&(b|-c))", {"and": [A, {"or": [B, {"not": [C]}]}]}),
        ("not a b", {"and": [{"not": [A]}, B]}),
        ("not (a b)", {"not": [{"and": [A, B]}]}),
        ("-host:foo", {"not": [{"host": ["foo"]}]}),
        ("a:x", {"op-a": ["x"]}),
        ("time:11:00am", {"time": ["11:00am"]}),
        ("x:'a (quoted) | string'", {"x": ["a (quoted) | string"]}),
        ('notable and "or"', {"and": [{"t": ["notable"]}, {"t": ["or"]}]}),
        ("a-b", {"t": ["a-b"]}),
    ],
)
def test_a_query_is_a_constraint(query: str, constraint: Any) -> None:
    assert Parser().parse(query) == constraint


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("", "Unexpected end of input"),
        ("a|", "Unexpected end of input"),
        ("a:' ", "Unclosed quote"),
        ("(a", "Unclosed parenthesis"),
        ("(a))", r"Invalid token '\)'"),
        ("-(a|b)", "Invalid token '-'"),
        ("4g,host:foo", "invalid character ',' in operator '4g,host:'"),
        ("foo and a:", "Missing argument to token 'a:'"),
        ("a:(b)", "Missing argument to token 'a:'"),
        ("| a", r"Invalid token '\|'"),
    ],
)
def test_what_is_none_says_why(query: str, text: str) -> None:
    with pytest.raises(ConstraintSyntaxError, match=text):
        Parser().parse(query)


def test_an_operand_alone_needs_an_operator() -> None:
    with pytest.raises(ConstraintSyntaxError, match='Missing required operator in "foo"'):
        ConstraintParser().parse("foo")


def test_properties_are_put_together() -> None:
    parse = MiniConstraintParser().parse
    assert parse("a,b c") == {"properties": ["a", "b", "c"]}
    assert parse("a host:x b") == {"and": [{"properties": ["a", "b"]}, {"hostlist": ["x"]}]}
    assert parse("a|b") == {"or": [{"properties": ["a"]}, {"properties": ["b"]}]}
    assert parse("rank:0-3 hosts:n[1-2]") == {"and": [{"ranks": ["0-3"]}, {"hostlist": ["n[1-2]"]}]}
