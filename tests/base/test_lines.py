from hypothesis import given
from hypothesis import strategies as st

from flux.base.lines import Chunks, Lines


def test_lines_are_told_one_by_one_when_they_are_whole() -> None:
    lines = Lines(100)
    assert lines.feed(b"one\ntwo\nthr") == [b"one\n", b"two\n"]
    assert lines.feed(b"ee") == []
    assert lines.feed(b"\n") == [b"three\n"]
    assert lines.feed(b"") == [b""]


def test_what_has_no_newline_is_told_at_the_end() -> None:
    lines = Lines(100)
    assert lines.feed(b"half") == []
    assert lines.feed(b"") == [b"half", b""]


def test_a_line_beyond_the_limit_is_told_in_parts() -> None:
    assert Lines(4).feed(b"123456") == [b"123456"]


@given(st.lists(st.binary(min_size=1)), st.integers(1, 50))
def test_nothing_is_lost_and_nothing_is_told_twice(chunks: list[bytes], limit: int) -> None:
    lines = Lines(limit)
    told = [piece for chunk in [*chunks, b""] for piece in lines.feed(chunk)]
    assert b"".join(told) == b"".join(chunks)
    assert told.count(b"") == 1
    assert told[-1] == b""


def test_chunks_pass_as_they_come() -> None:
    assert Chunks().feed(b"a\nb") == [b"a\nb"]
    assert Chunks().feed(b"") == [b""]
