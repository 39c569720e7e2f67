"""Whom to ask next for a set of ranks."""

from errno import EINVAL

import pytest

from flux.base.idset import IDset
from flux.modules.multicast.plan import Part, parts, targets


def test_ranks_are_divided_by_the_child_that_leads_to_them() -> None:
    below = {3: 3, 7: 3, 8: 3, 4: 4, 9: 4}.get
    assert parts(IDset("0-4,7-9"), 1, below) == [
        Part(IDset("0,2"), None, False),
        Part(IDset("1"), 1, True),
        Part(IDset("3,7-8"), 3, False),
        Part(IDset("4,9"), 4, False),
    ]


def test_a_single_rank_is_asked_directly() -> None:
    assert parts(IDset("0,8"), 1, {8: 3}.get) == [Part(IDset("0"), 0, True), Part(IDset("8"), 8, True)]


def test_ranks_are_read() -> None:
    assert str(targets("all", 4)) == "0-3"
    assert str(targets("1-2", 4)) == "1-2"
    assert not targets("", 4)


@pytest.mark.parametrize(
    ("text", "why"), [("1-", "'1-'"), ("x", "'x'"), ("2-9", "this instance has ranks 0-3 only"), ("4", "0-3 only")]
)
def test_ranks_that_cannot_be_are_refused(text: str, why: str) -> None:
    with pytest.raises(OSError, match=why) as refused:
        targets(text, 4)
    assert refused.value.errno == EINVAL
