"""Log lines as they travel (RFC 5424) and as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base.logline import LONGEST, LogLine, cut, read_logline, timestamp

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n"))


@given(st.integers(0, 7), st.integers(-1, 1 << 20), TEXT)
def test_what_is_written_is_read_back(severity: int, rank: int, text: str) -> None:
    line = LogLine(severity, timestamp(1.5), rank, "kvs", text)
    assert read_logline(line.encode()) == line


@given(st.text(), st.integers(0, 40))
def test_any_text_is_cut_to_what_can_be_sent(text: str, room: int) -> None:
    assert len(cut(text, room).encode()) <= room


def test_a_name_that_is_not_utf8_can_be_logged() -> None:
    assert LogLine(3, "-", 0, "kvs", "d\udcff: no such directory").encode().endswith("d?: no such directory")


def test_a_record_is_no_longer_than_it_may_be() -> None:
    assert len(LogLine(6, "-", 0, "kvs", "é" * LONGEST).encode().encode()) <= LONGEST


@pytest.mark.parametrize("text", ["", "hello", "<999999>1 x", "<14>2 - - - - - -", "\0"])
def test_what_is_no_record_is_the_text_of_one(text: str) -> None:
    assert read_logline(text) == LogLine(6, "-", -1, "unknown", text.rstrip("\0"))


def test_people_read_who_said_it_and_how_grave_it_is() -> None:
    assert LogLine(4, timestamp(0), 2, "broker", "hm").human() == "1970-01-01T00:00:00.000000Z broker.warning[2]: hm"
