"""One request, waited for."""

from errno import EINVAL, ENODATA, ENOENT, ENOSYS, ETIMEDOUT

import pytest

from flux.constants import FLUX_NODEID_UPSTREAM, FLUX_RPC_NORESPONSE, FLUX_RPC_STREAMING
from flux.core.handle import Flux
from flux.testing.echo import EchoThread
from flux.wire.message import STREAMING, UPSTREAM, Request


class Id(int):
    """An int that JSON encoders may not know."""


def test_the_answer_is_a_dict(h: Flux) -> None:
    assert h.rpc("attr.get", {"name": "size"}).get() == {"value": "16", "flags": 1}


def test_an_empty_answer_is_none(h: Flux) -> None:
    rpc = h.rpc("attr.set", {"name": "x", "value": "y"})
    assert rpc.get() is None
    assert rpc.get_str() is None
    assert rpc.get_bytes() == b""


def test_an_answer_may_be_read_as_text_and_as_bytes(h: Flux) -> None:
    rpc = h.rpc("echo.x", '{"a": 1}')
    assert rpc.get() == {"a": 1}
    assert rpc.get_str() == '{"a": 1}'
    assert rpc.get_bytes() == b'{"a": 1}\0'


def test_bytes_travel_as_they_are(h: Flux) -> None:
    assert h.rpc("echo.x", b"\0\xff raw").get_bytes() == b"\0\xff raw"


def test_a_topic_may_be_bytes_and_text_any_unicode(h: Flux) -> None:
    assert h.rpc(b"echo.x", {"\xa3": "㋛ ☺ ㋡"}).get() == {"\xa3": "㋛ ☺ ㋡"}


def test_a_number_of_a_class_of_its_own_is_a_number(h: Flux) -> None:
    assert h.rpc("echo.x", {"id": Id(7)}).get() == {"id": 7}


def test_an_error_answer_is_the_oserror_it_names(h: Flux) -> None:
    rpc = h.rpc("echo.fail", {"errnum": ENOENT, "text": "a.b.c: no such key"})
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match=r"a\.b\.c: no such key"):
            rpc.get()
    assert rpc.error_string() == "a.b.c: no such key"


def test_an_error_without_a_text_has_the_usual_one(h: Flux) -> None:
    with pytest.raises(OSError) as refused:
        h.rpc("echo.fail", {"errnum": ENOSYS}).get()
    assert (refused.value.errno, refused.value.strerror) == (ENOSYS, "Function not implemented")


def test_an_unknown_service_is_enosys(h: Flux) -> None:
    with pytest.raises(OSError) as refused:
        h.rpc("nosuch.thing").get()
    assert refused.value.errno == ENOSYS


def test_answers_may_be_taken_in_any_order(h: Flux) -> None:
    rpcs = [h.rpc("echo.x", {"n": n}) for n in range(100)]
    assert [rpc.get()["n"] for rpc in reversed(rpcs)] == list(reversed(range(100)))


def test_a_request_that_wants_no_answer_is_ready_at_once(h: Flux, echo: EchoThread) -> None:
    rpc = h.rpc("echo.note", {"a": 1}, flags=FLUX_RPC_NORESPONSE)
    assert rpc.is_ready()
    assert rpc.get() is None
    h.rpc("echo.x").get()
    note = echo.broker.heard[0]
    assert isinstance(note, Request)
    assert not note.wants_answer
    assert note.matchtag == 0


def test_is_ready_becomes_true_by_asking(h: Flux) -> None:
    rpc = h.rpc("echo.x")
    while not rpc.is_ready():
        pass
    assert rpc.get() is None


def test_is_ready_when_the_broker_is_lost(h: Flux) -> None:
    rpc = h.rpc("echo.die")
    while not rpc.is_ready():
        pass
    with pytest.raises(ConnectionResetError):
        rpc.get()


def test_wait_for_has_an_end(h: Flux) -> None:
    rpc = h.rpc("echo.hold")
    for timeout in (0, 0.001):
        with pytest.raises(TimeoutError) as refused:
            rpc.wait_for(timeout)
        assert refused.value.errno == ETIMEDOUT
    assert h.rpc("echo.x", {"a": 1}).wait_for(5).get() == {"a": 1}


def test_upstream_names_the_sender(h: Flux, echo: EchoThread) -> None:
    h.rpc("echo.x", nodeid=FLUX_NODEID_UPSTREAM).get()
    request = echo.broker.heard[-1]
    assert isinstance(request, Request)
    assert request.nodeid == 3
    assert request.flags & UPSTREAM


def test_a_lost_broker_is_reported_to_all_who_wait(h: Flux) -> None:
    held = h.rpc("echo.hold")
    with pytest.raises(ConnectionResetError, match="lost connection to the broker"):
        h.rpc("echo.die").get()
    with pytest.raises(ConnectionResetError, match="lost connection to the broker"):
        held.get()
    with pytest.raises(ConnectionResetError, match="lost connection to the broker"):
        h.rpc("echo.x").get()


def test_a_closed_handle_says_so(h: Flux) -> None:
    held = h.rpc("echo.hold")
    h.close()
    h.close()
    with pytest.raises(OSError, match="the handle is closed"):
        held.get()
    with pytest.raises(OSError, match="the handle is closed"):
        h.rpc("echo.x")


def test_an_rpc_is_a_context_manager(h: Flux) -> None:
    with h.rpc("echo.x", {"a": 1}) as rpc:
        assert rpc.get() == {"a": 1}


def test_the_handle_lives_as_long_as_its_request(echo: EchoThread) -> None:
    assert Flux(echo.uri).rpc("echo.x", {"a": 1}).get() == {"a": 1}


# -- streams ----------------------------------------------------------------------------------------------------------


def test_a_stream_is_got_and_reset_until_enodata(h: Flux) -> None:
    rpc, got = h.rpc("echo.count", {"upto": 3}, flags=FLUX_RPC_STREAMING), list[int]()
    with pytest.raises(OSError) as ended:
        while True:
            got.append(rpc.get()["n"])
            rpc.reset()
    assert got == [0, 1, 2]
    assert ended.value.errno == ENODATA


def test_a_stream_is_a_loop(h: Flux) -> None:
    assert [answer["n"] for answer in h.stream("echo.count", {"upto": 1000})] == list(range(1000))


def test_a_stream_of_text_is_text(h: Flux, echo: EchoThread) -> None:
    echo.broker.answers["echo.line"] = lambda request: b"[1] a line\0"
    assert next(h.stream("echo.line")) == "[1] a line"


def test_a_stream_that_fails_raises(h: Flux) -> None:
    stream = h.stream("echo.fail", {"errnum": EINVAL, "text": "no"})
    with pytest.raises(OSError, match="no"):
        next(stream)
    assert list(stream) == []


def test_a_loop_that_ends_early_tells_the_service(h: Flux, echo: EchoThread) -> None:
    for answer in h.stream("echo.hold", nodeid=5):
        assert answer == {"held": True}
        break
    assert h.rpc("echo.x").get() is None
    cancel = next(msg for msg in echo.broker.heard if isinstance(msg, Request) and msg.topic == "echo.cancel")
    assert cancel.body() == {"matchtag": 1}
    assert cancel.nodeid == 5
    assert not cancel.wants_answer
    assert len(h.session) == 0


def test_a_cancelled_stream_ends_in_order(h: Flux, echo: EchoThread) -> None:
    stream = h.stream("echo.hold")
    assert next(stream) == {"held": True}
    stream.cancel()
    assert list(stream) == []


def test_a_request_for_a_stream_says_so(h: Flux, echo: EchoThread) -> None:
    list(h.stream("echo.count", {"upto": 0}))
    assert echo.broker.heard[-1].flags & STREAMING
