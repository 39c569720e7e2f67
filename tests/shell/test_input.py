"""Credits for stdin."""

from flux.shell.input import Credits


def test_the_slowest_reader_decides() -> None:
    credits = Credits([0, 1])
    assert credits.took(0, 10) == 0
    assert credits.took(1, 4) == 4
    assert credits.took(1, 8) == 6


def test_nobody_waits_for_a_reader_that_left() -> None:
    credits = Credits([0, 1])
    credits.took(0, 10)
    assert credits.left(1) == 10
    assert credits.took(1, 5) == 0
    assert credits.left(0) == 0
