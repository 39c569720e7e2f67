"""Payloads as programs pass them, and as they get them."""

import math
from errno import EINVAL, EPROTO
from typing import Any

import pytest

from flux.wire.payload import decode_item, decode_payload, decode_text, encode_payload, topic_text


class Id(int):
    """As a job id is an int that prints otherwise."""


@pytest.mark.parametrize(
    ("payload", "wire"),
    [
        (None, None),
        ({}, b"{}\0"),
        ({"a": 1}, b'{"a":1}\0'),
        ({"id": Id(5)}, b'{"id": 5}\0'),
        ("text", b"text\0"),
        ("\udcff", b"\xff\0"),
        ({"a": "\udcff"}, b'{"a": "\xff"}\0'),
        (b"raw\0bytes", b"raw\0bytes"),
        (b"", b""),
        (bytearray(b"raw"), b"raw"),
    ],
)
def test_json_and_text_end_in_nul_and_bytes_go_as_they_are(payload: Any, wire: bytes | None) -> None:
    assert encode_payload(payload) == wire


def test_what_json_cannot_carry_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        encode_payload({"a": object()})


@pytest.mark.parametrize(
    ("wire", "value"),
    [
        (None, None),
        (b"", None),
        (b'{"a":1}\0', {"a": 1}),
        (b'{"a":1}', {"a": 1}),
        (b"[1,2]\0", [1, 2]),
        (b'{"a":"\\ud800"}\0', {"a": "\ud800"}),
        ({"a": 1}, {"a": 1}),
    ],
)
def test_json_comes_back(wire: Any, value: Any) -> None:
    assert decode_payload(wire) == value


def test_numbers_that_strict_json_lacks_come_back() -> None:
    assert math.isnan(decode_payload(b'{"a":NaN}\0')["a"])


@pytest.mark.parametrize("wire", [b"\0", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_a_protocol_error(wire: bytes) -> None:
    with pytest.raises(OSError) as refused:
        decode_payload(wire)
    assert refused.value.errno == EPROTO


def test_text_comes_without_its_nul() -> None:
    assert decode_text(b"abc\0") == "abc"
    assert decode_text(b"abc") == "abc"
    assert decode_text(None) is None


def test_a_topic_may_be_text_or_bytes() -> None:
    assert topic_text("a.b") == topic_text(b"a.b") == "a.b"
    with pytest.raises(TypeError):
        topic_text(5)
    with pytest.raises(OSError) as refused:
        topic_text(None)
    assert refused.value.errno == EINVAL


@pytest.mark.parametrize(
    ("wire", "item"), [(b'{"a":1}\0', {"a": 1}), (b"<14>1 - a line\0", "<14>1 - a line"), (b"5\0", "5"), (None, None)]
)
def test_an_item_of_a_stream_is_an_object_or_text(wire: bytes | None, item: Any) -> None:
    assert decode_item(wire) == item
