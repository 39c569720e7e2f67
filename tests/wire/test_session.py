"""The client's side of a connection, without one."""

from errno import ECONNRESET, ENODATA, ENOENT

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.wire.message import NORESPONSE, STREAMING, Event, Request, Response, end_of_stream, respond
from flux.wire.session import Session


def test_matchtags_grow_from_one() -> None:
    session = Session()
    assert [session.request("a.b", told=lambda _: None).matchtag for _ in range(3)] == [1, 2, 3]


def test_a_matchtag_is_taken_again_after_the_answer() -> None:
    session, answers = Session(), list[Response]()
    first = session.request("a.b", told=answers.append)
    assert session.receive(respond(first)) is None
    assert session.request("a.b", told=answers.append).matchtag == first.matchtag
    assert len(answers) == 1


def test_a_request_that_wants_no_answer_has_no_matchtag() -> None:
    request = Session().request("a.b")
    assert request.matchtag == 0
    assert request.flags & NORESPONSE


def test_a_stream_keeps_its_matchtag_until_its_end() -> None:
    session, answers = Session(), list[Response]()
    request = session.request("a.b", told=answers.append, flags=STREAMING)
    session.receive(respond(request, {"n": 1}, more=True))
    session.receive(respond(request, {"n": 2}, more=True))
    assert session.request("c.d", told=answers.append).matchtag == 2
    session.receive(end_of_stream(request))
    assert session.request("e.f", told=answers.append).matchtag == 1
    assert [answer.errnum for answer in answers] == [0, 0, ENODATA]


def test_the_matchtag_of_a_forgotten_request_is_not_taken_before_its_answer() -> None:
    session, answers = Session(), list[Response]()
    request = session.request("a.b", told=answers.append)
    session.forget(request.matchtag)
    assert session.request("c.d", told=answers.append).matchtag == 2
    session.receive(respond(request))
    assert not answers
    assert session.request("e.f", told=answers.append).matchtag == 1


def test_what_is_no_answer_to_us_is_handed_back() -> None:
    session = Session()
    request = session.request("a.b", told=lambda _: None)
    strangers = [
        Event(topic="a.b"),
        Request(topic="a.b", matchtag=1),
        Response(topic="a.b", matchtag=7),
        Response(topic="a.b", matchtag=request.matchtag, route=(b"somebody",)),
    ]
    assert [session.receive(msg) for msg in strangers] == strangers
    assert len(session) == 1


def test_a_lost_connection_answers_everything_with_an_error() -> None:
    session, answers = Session(), list[Response]()
    for _ in range(3):
        session.request("a.b", told=answers.append)
    session.fail(ECONNRESET, "gone")
    assert [(answer.errnum, answer.text()) for answer in answers] == [(ECONNRESET, "gone")] * 3
    assert len(session) == 0


def test_only_the_first_and_the_last_subscription_concern_the_broker() -> None:
    session = Session()
    assert session.subscribe("job-")
    assert not session.subscribe("job-")
    assert session.subscriptions == {"job-"}
    assert not session.unsubscribe("job-")
    assert session.unsubscribe("job-")
    with pytest.raises(FileNotFoundError, match="job-"):
        session.unsubscribe("job-")
    assert session.subscriptions == frozenset()


@given(st.lists(st.integers(0, 2), max_size=200))
def test_no_two_open_requests_share_a_matchtag(steps: list[int]) -> None:
    session, waiting = Session(), list[Request]()
    for step in steps:
        if step == 0 or not waiting:
            request = session.request("a.b", told=lambda _: None)
            assert request.matchtag not in [other.matchtag for other in waiting]
            waiting.append(request)
        elif step == 1:
            session.receive(respond(waiting.pop(0)))
        else:
            session.forget(waiting[-1].matchtag)
    assert len(session) == len(waiting)


def test_enoent_names_what_was_not_subscribed() -> None:
    with pytest.raises(OSError) as refused:
        Session().unsubscribe("nothing")
    assert refused.value.errno == ENOENT
