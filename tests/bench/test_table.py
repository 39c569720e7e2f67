"""What the table says of what was measured."""

from bench.figures import Figure, Times, Under
from bench.table import Row, as_json, rows, table, text
from bench.turns import middle

SLOW = Figure("slow", "something that takes time", "ms", Times(2))
FAST = Figure("fast", "something done often", "/s", Times(2))
SMALL = Figure("small", "something that takes room", "MB", Under(75))


def test_ratio_says_how_many_times_as_good_ours_is_whatever_the_unit() -> None:
    assert Row(SLOW, 10.0, 30.0).ratio == 3.0
    assert Row(FAST, 30.0, 10.0).ratio == 3.0


def test_a_mark_that_compares_is_met_or_missed_beside_another_flux_alone() -> None:
    assert Row(SLOW, 10.0, 20.0).met is True
    assert Row(SLOW, 10.0, 19.0).met is False
    assert Row(SLOW, 10.0, None).met is None
    assert Row(SLOW, 10.0, "no counterpart").met is None


def test_a_mark_that_does_not_compare_needs_no_other() -> None:
    assert Row(SMALL, 74.0, None).met is True
    assert Row(SMALL, 76.0, 100.0).met is False


def test_the_middle_of_turns_is_their_median_and_words_count_only_without_numbers() -> None:
    assert middle([3.0, 1.0, 200.0]) == 3.0
    assert middle(["failed", 4.0]) == 4.0
    assert middle(["no counterpart", "no counterpart"]) == "no counterpart"
    assert middle([]) == "not measured"


def test_only_what_was_measured_has_a_row_and_the_other_need_not_have_it() -> None:
    found = rows((SLOW, FAST, SMALL), [{"slow": [1.0, 3.0, 2.0], "small": [5.0]}, {"slow": ["no counterpart"]}])
    assert [(row.figure.name, row.ours, row.other) for row in found] == [
        ("slow", 2.0, "no counterpart"),
        ("small", 5.0, "not measured"),
    ]


def test_the_columns_of_the_table_are_even() -> None:
    found = [Row(SLOW, 10.0, 30.0), Row(FAST, 123456.0, "no counterpart"), Row(SMALL, "failed", 55.25)]
    assert table(found).splitlines() == [
        "what                       unit     ours           other  ratio  at least",
        "something that takes time  ms         10              30  3.0 x       2 x  met",
        "something done often       /s    123,456  no counterpart              2 x",
        "something that takes room  MB     failed            55.2             < 75",
    ]


def test_numbers_have_the_digits_that_mean_something() -> None:
    assert [text(value) for value in (0.12345, 9.876, 99.94, 1234.5)] == ["0.123", "9.88", "99.9", "1,234"]


def test_json_has_every_sample() -> None:
    samples = [{"slow": [1.0, 3.0]}, {"slow": [4.0, 8.0]}]
    (entry,) = as_json(rows((SLOW,), samples), samples)  # type: ignore[arg-type]
    assert (entry["ours"], entry["other"], entry["ratio"], entry["met"]) == (2.0, 6.0, 3.0, True)
    assert entry["samples"] == [[1.0, 3.0], [4.0, 8.0]]
