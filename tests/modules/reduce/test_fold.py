"""What values become together."""

from errno import ECONNABORTED, EEXIST, EINVAL
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.modules.reduce.fold import OPS, Fold, Report, folded, lifted, merged


@pytest.mark.parametrize(
    ("op", "values", "result"),
    [
        ("sum", [1, 2, 3.5], 6.5),
        ("min", [2, 1, 3], 1),
        ("max", [2, 1, 3], 3),
        ("set", ["b", "a", "b", {"x": 1}, {"x": 1}], ["a", "b", {"x": 1}]),
        ("list", ["b", "a", "b"], ["b", "a", "b"]),
    ],
)
def test_each_op_folds_its_values(op: str, values: list[Any], result: Any) -> None:
    first, *others = (lifted(op, value) for value in values)
    for other in others:
        first = folded(op, first, other)
    assert first == result


@given(st.lists(st.integers(-9, 9), min_size=1), st.sampled_from(OPS), st.data())
def test_the_tree_makes_no_difference(values: list[int], op: str, data: st.DataObject) -> None:
    """Folded in any groups, it is what it is folded in a row."""
    reports = [Report(1, len(values), op, lifted(op, value)) for value in values]
    whole = merged(reports)
    cut = data.draw(st.integers(0, len(values)))
    parts = merged([merged(reports[cut:]), list(merged(reports[:cut]))])
    assert whole.decided and parts.decided
    if op == "list":
        assert sorted(whole.value) == sorted(parts.value) == sorted(values)
    else:
        assert whole == parts


def test_callers_that_disagree_break_it() -> None:
    for other in (Report(1, 3, "sum", 1), Report(1, 2, "min", 1)):
        assert merged([Report(1, 2, "sum", 1), other]).errnum == EINVAL


def test_what_nobody_brought_counts_for_nothing() -> None:
    report = Report(1, 1, "sum", 5)
    assert merged([]) == Report(0) and not Report(0).decided
    assert merged([Report(0), report, Report(0)]) == report
    assert merged([Report(0, errnum=ECONNABORTED), report]).errnum == ECONNABORTED


def test_who_enters_twice_breaks_it_for_all() -> None:
    fold = Fold()
    fold.enter(b"a", 2, "sum", 1)
    for errnum in (EEXIST, ECONNABORTED):
        with pytest.raises(OSError) as refused:
            fold.enter(b"a" if errnum == EEXIST else b"b", 2, "sum", 1)
        assert refused.value.errno == errnum


@pytest.mark.parametrize(
    ("nprocs", "op", "value"), [(0, "sum", 1), (1, "sum", "x"), (1, "max", True), (1, "min", None), (1, "nosuch", 1)]
)
def test_what_makes_no_sense_is_refused_and_breaks_nothing(nprocs: int, op: str, value: Any) -> None:
    fold = Fold()
    with pytest.raises(OSError) as refused:
        fold.enter(b"a", nprocs, op, value)
    assert refused.value.errno == EINVAL
    fold.enter(b"b", 1, "sum", 1)
    assert fold.report.decided
