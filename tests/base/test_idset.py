"""IDset against recorded vectors, against Python's own sets, and as today's `flux.idset`."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.idset import IDSET_FLAG_BRACKETS, IDSET_FLAG_RANGE, IDSET_INVALID_ID, IDset, decode

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "idset.json").read_text())
ids = st.sets(st.integers(0, 40) | st.integers(0, 0x7FFFFFFF))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["in"])
def test_text_reads_as_recorded(vector: dict[str, Any]) -> None:
    if "error" in vector:
        with pytest.raises(ValueError):
            IDset(vector["in"])
    else:
        assert str(IDset(vector["in"])) == vector["out"]
        assert len(IDset(vector["in"])) == vector["count"]


@given(ids)
def test_text_reads_back_as_the_same_set(some: set[int]) -> None:
    assert IDset(str(IDset(some))) == IDset(some)
    assert list(IDset(some)) == sorted(some)
    assert IDset(IDset(some).encode(0)) == IDset(some)


@given(st.text())
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    try:
        IDset(text)
    except ValueError as error:
        assert len(str(error)) < 200 + len(text)


@given(ids, ids)
def test_operations_are_those_of_sets(a: set[int], b: set[int]) -> None:
    assert list(IDset(a) | IDset(b)) == sorted(a | b)
    assert list(IDset(a) - IDset(b)) == sorted(a - b)
    assert list(IDset(a) & IDset(b)) == sorted(a & b)
    assert list(IDset(a).add(b)) == sorted(a | b)
    assert list(IDset(a).subtract(b)) == sorted(a - b)
    assert (IDset(a) == IDset(b)) == (a == b)


@given(st.sets(st.integers(0, 40)), st.integers(0, 40), st.integers(0, 10))
def test_ids_and_ranges_go_in_and_out(some: set[int], start: int, length: int) -> None:
    span = set(range(start, start + length + 1))
    assert list(IDset(some).set(start, start + length)) == sorted(some | span)
    assert list(IDset(some).clear(start, start + length)) == sorted(some - span)
    assert str(IDset(some).set(start, start + length)) == str(IDset(some | span))
    assert [IDset(some).test(i) for i in range(45)] == [i in some for i in range(45)]
    above = [i for i in some if i > start]
    assert IDset(some).next(start) == (min(above) if above else IDSET_INVALID_ID)


def test_a_set_is_made_of_text_integers_or_another_set() -> None:
    assert str(IDset()) == ""
    assert str(IDset(42)) == "42"
    assert str(IDset([42, 41, 40])) == "40-42"
    assert str(IDset(IDset("1-3"))) == "1-3"
    assert repr(decode("0,1")) == "IDset('0-1')"


def test_flags_choose_the_text() -> None:
    some = decode("0-3")
    assert some.encode(IDSET_FLAG_BRACKETS) == "[0,1,2,3]"
    assert some.encode(IDSET_FLAG_RANGE | IDSET_FLAG_BRACKETS) == "[0-3]"
    assert IDset(7).encode(IDSET_FLAG_BRACKETS) == "7"
    some.set_flags(0)
    assert str(some) == "0,1,2,3"


def test_indexing_tests_and_changes_one_id() -> None:
    some = decode("0-9")
    assert some[5] and not some[10]
    some[10], some[5] = 1, False
    assert str(some) == "0-4,6-10"
    assert 4 in some and 1024 not in some
    with pytest.raises(TypeError):
        some[0] = 7


def test_first_and_last_of_an_empty_set_are_the_invalid_id() -> None:
    assert IDset().first() == IDset().last() == IDset().next(0) == IDSET_INVALID_ID
    assert decode("3-9").first() == 3
    assert decode("3-9").last() == 9


def test_a_copy_is_independent() -> None:
    some = decode("0-9")
    other = some.copy().clear(1, 9)
    assert (str(some), str(other)) == ("0-9", "0")
    some += "20"
    some -= 0
    assert str(some) == "1-9,20"


@pytest.mark.parametrize(
    "call", [lambda s: s.set(5, 1), lambda s: s.set(-1), lambda s: s.clear(1, -1), lambda s: -1 in s]
)
def test_bad_ids_are_value_errors(call: Any) -> None:
    with pytest.raises(ValueError):
        call(IDset("0-9"))


@pytest.mark.parametrize("call", [lambda s: s.set("a"), lambda s: "a" in s, lambda s: s.add(4.0), lambda s: s == "foo"])
def test_bad_types_are_type_errors(call: Any) -> None:
    with pytest.raises(TypeError):
        call(IDset("0-9"))
