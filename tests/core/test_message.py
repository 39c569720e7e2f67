"""Messages as programs make and see them."""

import json

import pytest

from flux import constants
from flux.message import Message, msg_typestr
from flux.wire.message import Response, refuse


def test_a_new_message_is_a_request() -> None:
    msg = Message()
    assert msg.type == constants.FLUX_MSGTYPE_REQUEST
    assert msg.type_str == "request"
    assert (msg.userid, msg.rolemask) == (constants.FLUX_USERID_UNKNOWN, 0)
    assert msg.payload_str is None
    assert msg.payload is None


def test_what_is_set_is_what_is_got() -> None:
    payload = {"test": "foo"}
    msg = Message()
    msg.topic = "test"
    msg.payload_str = "blah"
    assert msg.payload_str == "blah"
    msg.payload = payload
    msg.userid = 1000
    msg.rolemask = constants.FLUX_ROLE_USER
    assert (msg.topic, msg.payload, msg.payload_str) == ("test", payload, json.dumps(payload))
    assert msg.decode() == (constants.FLUX_MSGTYPE_REQUEST, "test", json.dumps(payload))
    assert (msg.userid, msg.rolemask) == (1000, constants.FLUX_ROLE_USER)


def test_a_message_may_become_one_of_another_type() -> None:
    msg = Message()
    msg.topic, msg.payload = "test", {"a": 1}
    msg.type = constants.FLUX_MSGTYPE_RESPONSE
    assert msg.type_str == "response"
    assert (msg.topic, msg.payload) == ("test", {"a": 1})


@pytest.mark.parametrize(
    ("number", "name"), [(1, "request"), (2, "response"), (4, "event"), (8, "control"), (3, "unknown")]
)
def test_types_have_names(number: int, name: str) -> None:
    assert msg_typestr(number) == name
    if name != "unknown":
        assert Message(number).type_str == name


def test_an_event_is_made_in_one_go() -> None:
    event = Message.from_event_encode(b"a.b", {"x": 1})
    assert (event.type_str, event.topic, event.payload) == ("event", "a.b", {"x": 1})


def test_decoding_an_error_response_raises_it() -> None:
    response = refuse(Message().handle, 2, "nothing here")
    assert isinstance(response, Response)
    with pytest.raises(FileNotFoundError, match="nothing here"):
        Message(handle=response).decode()
