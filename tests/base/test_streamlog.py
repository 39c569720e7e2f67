"""Streams as logs of events (RFC 24)."""

from errno import EINVAL

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base import iodata
from flux.base.iodata import Pieces
from flux.base.streamlog import Fold, Said, Tail, header, line, remark


def said(data: bytes, stream: str = "stdout", rank: str = "0") -> bytes:
    return line(2.0, "data", iodata.encode(stream, rank, data))


def test_what_was_written_is_read() -> None:
    fold = Fold()
    assert fold.feed(header(1.0, {"stdout": 1})) == []
    assert fold.feed(said(b"a\n") + said(b"\xff\0")) == [
        Said(2.0, "stdout", "0", b"a\n", False),
        Said(2.0, "stdout", "0", b"\xff\0", False),
    ]
    assert not fold.ended
    assert fold.feed(said(b"")) == [Said(2.0, "stdout", "0", b"", True)]
    assert (fold.ended, fold.remarks, fold.begun) == (True, [], 1.0)


def test_a_log_ends_with_the_last_end_of_its_last_stream() -> None:
    fold = Fold()
    fold.feed(header(1.0, {"stdout": 4, "stderr": 1}))
    for lines in (said(b"", rank="0"), said(b"", rank="1-2"), said(b"", "stderr", "all"), said(b"", "other")):
        fold.feed(lines)
        assert not fold.ended
    fold.feed(said(b"", rank="3"))
    assert fold.ended


def test_remarks_about_errors_are_kept_and_unknown_events_are_none() -> None:
    fold = Fold()
    fold.feed(header(1.0, {"stdout": 1}) + remark(1.0, "gone") + remark(1.0, "well", 6))
    assert fold.feed(line(1.0, "redirect", {"stream": "stdout", "rank": "0"}) + line(1.0, "news", {})) == []
    assert fold.remarks == ["gone"]


@pytest.mark.parametrize(
    "lines",
    [
        said(b"x"),
        b"text\n",
        b"no end of line",
        line(1.0, "header", {}),
        line(1.0, "header", {"count": {"stdout": "1"}}),
        header(1.0, {"stdout": 1}) + line(1.0, "nothing", {}).replace(b"nothing", b""),
    ],
)
def test_what_is_no_stream_is_refused(lines: bytes) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        Fold().feed(lines)
    assert caught.value.errno == EINVAL


# -- the last lines ----------------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([b"a", b"\n", b"bc\n", b"\n\n", b"d\ne"]), max_size=12), st.integers(0, 6))
def test_the_last_lines_are_those_of_the_whole(parts: list[bytes], count: int) -> None:
    tail = Tail(count)
    for part in parts:
        tail.put(Said(0.0, "stdout", "0", part, False))
    lines = b"".join(parts).splitlines(keepends=True)
    assert b"".join(one.data for one in tail.last()) == b"".join(lines[-count:] if count else [])


def test_what_is_kept_for_the_last_lines_is_bounded() -> None:
    tail = Tail(1000, most=100)
    for number in range(1000):
        tail.put(Said(0.0, "stdout", "0", b"%7d\n" % number, False))
        assert len(tail._kept) < 27
    assert b"".join(one.data for one in tail.last()).split()[-1] == b"999"
    assert sum(len(one.data) for one in tail.last()) == 100


# -- pieces ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.one_of(st.binary(max_size=9), st.text(max_size=9).map(str.encode)), max_size=9), st.integers(4, 9))
def test_pieces_are_small_and_make_the_whole(parts: list[bytes], most: int) -> None:
    pieces = Pieces(most)
    got = [piece for part in parts for piece in pieces.feed(part)]
    rest = pieces.rest()
    assert b"".join([*got, rest]) == b"".join(parts)
    assert all(0 < len(piece) <= most for piece in got)
    assert len(rest) < 4


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), st.integers(4, 9), st.integers(4, 7))
def test_text_stays_text_however_it_is_written(text: str, most: int, step: int) -> None:
    data = text.encode()
    pieces = Pieces(most)
    got = [piece for at in range(0, len(data), step) for piece in pieces.feed(data[at : at + step])]
    for piece in got:
        piece.decode()


@given(st.binary(min_size=1))
def test_the_size_of_an_io_object_is_that_of_its_data(data: bytes) -> None:
    assert iodata.size(iodata.encode("stdout", "0", data)) == len(data)
