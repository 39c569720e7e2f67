"""Messages as values: what each kind knows of itself, and how answers are made."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.wire.message import (
    NORESPONSE,
    STREAMING,
    Event,
    Request,
    Response,
    end_of_stream,
    json_object,
    refuse,
    respond,
    wire_payload,
)

ASKED = Request(7, 1, 0, "kvs.lookup", b"", 3, 42, (b"hop", b"asker"))


def test_a_request_knows_its_service_and_its_sender() -> None:
    assert (ASKED.service, ASKED.sender) == ("kvs", b"asker")
    assert (Request(topic="ping").service, Request(topic="ping").sender) == ("ping", b"")


def test_flags_say_whether_an_answer_is_wanted_and_whether_many() -> None:
    assert ASKED.wants_answer and not ASKED.streaming
    assert not Request(topic="a", flags=NORESPONSE).wants_answer
    assert Request(topic="a", flags=STREAMING).streaming


def test_a_refusal_may_name_what_is_not_utf8() -> None:
    assert refuse(ASKED, errno.ENOENT, "caf\udce9: no such file").text() == "caf?: no such file"


def test_an_answer_goes_back_the_way_the_request_came() -> None:
    answer = respond(ASKED, {"a": 1})
    assert (answer.topic, answer.matchtag, answer.route) == (ASKED.topic, ASKED.matchtag, ASKED.route)
    assert answer.final and answer.body() == {"a": 1}
    assert not respond(ASKED, more=True).final


def test_an_error_carries_one_short_text() -> None:
    assert refuse(ASKED, errno.ENOENT, "no such key").text() == "no such key"
    assert refuse(ASKED, errno.ENOENT).payload() is None
    assert end_of_stream(ASKED).errnum == errno.ENODATA
    assert Response(errnum=1, data=b"\xff\0").text() == "\ufffd"


def test_errors_end_a_stream() -> None:
    assert refuse(Request(topic="a", flags=STREAMING), errno.EIO).final


def test_payloads_are_json_objects_that_end_in_nul() -> None:
    assert wire_payload({"a": [1]}) == b'{"a":[1]}\0'
    assert wire_payload(b"raw") == b"raw"
    assert wire_payload(None) is None
    assert json_object(b'{"a":1}') == json_object(b'{"a":1}\0') == {"a": 1}
    assert json_object(None) == {}


@given(st.binary() | st.text().map(str.encode))
def test_no_payload_raises_anything_but_eproto(payload: bytes) -> None:
    try:
        assert isinstance(Event(topic="a", data=payload).body(), dict)
    except OSError as error:
        assert error.errno == errno.EPROTO


@pytest.mark.parametrize(
    "payload", [b"", b"\0", b"[]\0", b"1", b'{"a":1}\0\0', b'{"a":1', b'{"a\xff":1}', b"[" * 100000]
)
def test_what_is_no_json_object_is_refused(payload: bytes) -> None:
    with pytest.raises(OSError, match="payload is not"):
        json_object(payload)
