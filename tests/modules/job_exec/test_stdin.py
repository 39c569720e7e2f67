"""Input that waits until a job's tasks can take it."""

import pytest

from flux.base.invalid import Invalid
from flux.modules.job_exec import stdin
from flux.modules.job_exec.stdin import Stdin


def test_input_goes_when_there_is_credit_and_in_order() -> None:
    made = Stdin()
    made.put({"data": "one"}, 1)
    made.put({"data": "two", "eof": True}, 2)
    assert made.go() == []
    made.credit(1)
    assert [(piece.io, piece.answer) for piece in made.go()] == [({"stream": "stdin", "rank": "all", "data": "one"}, 1)]
    assert made.go() == [], "the tasks have taken more than was granted"
    made.credit(3)
    assert [piece.io["eof"] for piece in made.go()] == [True]
    with pytest.raises(Invalid, match="closed"):
        made.put({"data": "three"}, 3)


def test_the_end_waits_for_the_tasks_but_needs_no_credit() -> None:
    made = Stdin()
    made.put({"data": "some"}, 1)
    made.put({"eof": True}, 2)
    assert made.go() == [], "nobody is there to read"
    made.credit(4)
    assert [piece.answer for piece in made.go()] == [1, 2]


def test_too_much_is_refused_and_what_is_left_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdin, "WINDOW", 4)
    made = Stdin()
    made.put({"data": "abcd"}, 1)
    with pytest.raises(Invalid, match="wait to be read"):
        made.put({"data": "e"}, 2)
    with pytest.raises(OSError, match="bad io"):
        made.put({}, 3)
    assert [piece.answer for piece in made.left()] == [1]
    assert made.ended
