from errno import EPROTO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base.iodata import Piece, decode, encode


@given(st.binary(min_size=1))
def test_any_bytes_come_back(data: bytes) -> None:
    assert decode(encode("stdout", "3", data)) == Piece("stdout", data, False)


def test_text_stays_text_and_anything_else_is_base64() -> None:
    assert encode("stdout", "0", "ä\n".encode()) == {"stream": "stdout", "rank": "0", "data": "ä\n"}
    for data, coded in ((b"\xff", "/w=="), (b"\0", "AA==")):
        assert encode("stdout", "0", data) == {"stream": "stdout", "rank": "0", "encoding": "base64", "data": coded}


def test_no_bytes_are_the_end() -> None:
    assert encode("stderr", "0", b"") == {"stream": "stderr", "rank": "0", "eof": True}
    assert decode({"stream": "stdin", "rank": "all", "eof": True}) == Piece("stdin", b"", True)


def test_data_and_end_may_come_together() -> None:
    assert decode({"stream": "stdin", "rank": "0", "data": "x", "eof": True}) == Piece("stdin", b"x", True)


@pytest.mark.parametrize(
    "io",
    [
        {},
        {"stream": "stdin"},
        {"stream": 1, "data": "x"},
        {"stream": "stdin", "data": 1},
        {"stream": "stdin", "data": "!", "encoding": "base64"},
        {"stream": "stdin", "data": "\ud800"},
        {"stream": "stdin", "data": "ä", "encoding": "base64"},
    ],
)
def test_what_says_nothing_is_a_protocol_error(io: dict[str, Any]) -> None:
    with pytest.raises(OSError, match="io object") as refusal:
        decode(io)
    assert refusal.value.errno == EPROTO
