"""Counts of resources (RFC 14, 22, 45)."""

from typing import Any

import pytest

from flux.resource import ResourceCount


@pytest.mark.parametrize(
    ("spec", "counts"),
    [
        (4, [4]),
        ("4", [4]),
        ({"min": 6}, [9, 8, 7, 6]),
        ("8+", [9, 8]),
        ("[2-4]", [4, 3, 2]),
        ({"min": 2, "max": 20, "operator": "*", "operand": 2}, [8, 4, 2]),
        ("2-20:3", [8, 5, 2]),
        ("2-20:2:^", [4, 2]),
        ("1,7-9", [9, 8, 7, 1]),
        ("10-12", []),
        (None, [1]),
    ],
)
def test_the_greatest_count_that_there_is_enough_for_comes_first(spec: Any, counts: list[int]) -> None:
    assert list(ResourceCount.from_count_spec(spec).valid_counts(9)) == counts


def test_counts_are_multiplied() -> None:
    count = ResourceCount.from_count_spec("2-8:2:*")
    assert list(count.scaled(3).valid_counts(100)) == [24, 12, 6]
    assert count.scaled(1) is count
    assert (ResourceCount.from_count_spec("2+").scaled(2).min, ResourceCount(2, None).scaled(2).max) == (4, None)
    assert repr(ResourceCount(1, 2)) == "ResourceCount(1, 2)"


@pytest.mark.parametrize(
    "spec",
    [0, "0-2", "0,2", "many", "5-2", "2+:2", {"min": 3, "max": 2}, {"min": 1, "operand": 2}]
    + [{"min": 1, "max": 9, "operator": operator, "operand": n} for operator, n in (("-", 2), ("*", 1), ("^", 2))]
    + [{"min": 1, "max": 1 << 20, "operand": 2}],
)
def test_what_is_no_count_is_refused(spec: Any) -> None:
    with pytest.raises(ValueError):
        ResourceCount.from_count_spec(spec)
