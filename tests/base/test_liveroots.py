"""What a backing store remembers besides blobs."""

import errno
from typing import Any

import pytest

from flux.base.liveroots import KEPT, LiveRoots, checked

REF = "sha1-" + "0" * 40


def root(sequence: int, **more: Any) -> dict[str, Any]:
    return {"version": 1, "rootref": f"sha1-{sequence:040x}", "sequence": sequence, "timestamp": 1.5} | more


def test_the_live_root_of_each_namespace_is_kept_the_primary_one_first() -> None:
    roots = LiveRoots([root(1, namespace="a", owner=7, flags=0)])
    roots.move(root(2, namespace="primary", owner=7, flags=0))
    roots.move(root(3, namespace="a", owner=7, flags=0))
    assert [(one["namespace"], one["sequence"]) for one in roots.roots()] == [("primary", 2), ("a", 3)]
    roots.remove("a")
    with pytest.raises(FileNotFoundError):
        roots.remove("a")
    assert [one["sequence"] for one in roots.roots()] == [2]


def test_the_live_root_comes_before_the_last_checkpoints() -> None:
    roots = LiveRoots()
    with pytest.raises(FileNotFoundError):
        roots.history()
    for sequence in range(KEPT + 2):
        roots.remember(root(sequence))
    assert [one["sequence"] for one in roots.history()] == [6, 5, 4, 3, 2]
    roots.move(root(9, namespace="primary", owner=7, flags=0))
    assert [one["sequence"] for one in roots.history()] == [9, 6, 5, 4, 3, 2]
    assert roots.history()[0] == root(9)


def test_all_that_they_lead_to_is_alive() -> None:
    roots = LiveRoots()
    roots.remember(root(1))
    roots.move(root(2))
    roots.move(root(3, namespace="a"))
    assert roots.refs() == [root(number)["rootref"] for number in (2, 3, 1)]


@pytest.mark.parametrize(
    "wrong", [{}, {"rootref": "x"}, {"rootref": REF, "sequence": "1"}, {"rootref": REF, "namespace": 1}]
)
def test_what_is_no_root_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OSError, match="not a root") as caught:
        checked(wrong)
    assert caught.value.errno == errno.EINVAL
