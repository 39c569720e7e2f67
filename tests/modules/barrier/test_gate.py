"""One barrier by its rules alone."""

from errno import ECONNABORTED, EEXIST, EINVAL

import pytest

from flux.modules.barrier.gate import Count, Gate, merged


def refused(gate: Gate, who: bytes, nprocs: int) -> int | None:
    with pytest.raises(OSError, match=r".") as caught:
        gate.enter(who, nprocs)
    return caught.value.errno


def test_who_waits_is_counted_until_there_are_enough() -> None:
    gate = Gate()
    for n, who in enumerate((b"a", b"b", b"c"), 1):
        gate.enter(who, 3)
        assert gate.count() == Count(n, 3)
        assert gate.count().decided == (n == 3)


def test_a_second_entry_breaks_it() -> None:
    gate = Gate()
    gate.enter(b"a", 3)
    assert refused(gate, b"a", 3) == EEXIST
    assert gate.count() == Count(1, 3, ECONNABORTED) and gate.count().decided
    assert refused(gate, b"b", 3) == ECONNABORTED


def test_another_number_breaks_it() -> None:
    gate = Gate()
    gate.enter(b"a", 3)
    assert refused(gate, b"b", 4) == EINVAL
    assert gate.count() == Count(1, 3, EINVAL)


def test_a_number_that_is_none_harms_nobody() -> None:
    gate = Gate()
    assert refused(gate, b"a", 0) == refused(gate, b"a", -1) == EINVAL
    assert gate.count() == Count(0, 0)


@pytest.mark.parametrize(
    ("counts", "total"),
    [
        ([], Count(0, 0)),
        ([Count(1, 4), [2, 4, 0]], Count(3, 4)),
        ([Count(1, 4), Count(0, 0)], Count(1, 4)),
        ([Count(1, 4), Count(1, 5)], Count(2, 4, EINVAL)),
        ([Count(1, 4), Count(0, 0, ECONNABORTED), Count(1, 5)], Count(2, 4, ECONNABORTED)),
    ],
)
def test_reports_add_up(counts: list[Count], total: Count) -> None:
    assert merged(counts) == total


def test_a_count_of_nobody_decides_nothing() -> None:
    assert not Count(0, 0).decided
    assert Count(0, 0, ECONNABORTED).decided
