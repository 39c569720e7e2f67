"""The handle: events, messages, services, attributes."""

import signal
import subprocess
import sys
import syslog
import threading
from collections.abc import Callable
from errno import EEXIST, ENODATA, ENOENT, ENOSYS, EPERM, EPROTO
from typing import Any

import pytest

import flux
from flux import constants
from flux.base.logline import read_logline
from flux.core.handle import Flux
from flux.message import Message
from flux.testing.echo import EchoThread
from flux.wire.message import Event, Request

REQUEST, RESPONSE, EVENT = (
    constants.FLUX_MSGTYPE_REQUEST,
    constants.FLUX_MSGTYPE_RESPONSE,
    constants.FLUX_MSGTYPE_EVENT,
)


def test_the_environment_says_where_to_connect(echo: EchoThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_URI", echo.uri)
    with flux.Flux() as h:
        assert h.get_rank() == 3


def test_a_handle_may_be_wrapped_again(h: Flux) -> None:
    assert Flux(handle=h).rpc("echo.x", {"a": 1}).get() == {"a": 1}


def test_who_sends_may_be_pretended(echo: EchoThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_HANDLE_USERID", "1234")
    monkeypatch.setenv("FLUX_HANDLE_ROLEMASK", "0x2")
    with Flux(echo.uri) as h:
        h.rpc("echo.x").get()
    assert (echo.broker.heard[0].userid, echo.broker.heard[0].rolemask) == (1234, 2)
    monkeypatch.setenv("FLUX_HANDLE_ROLEMASK", "user")
    with pytest.raises(OSError, match="FLUX_HANDLE_ROLEMASK"):
        Flux(echo.uri)


# -- attributes and configuration -------------------------------------------------------------------------------------


def test_attributes(h: Flux) -> None:
    h.attr_set("test.foo", "bär")
    assert h.attr_get("test.foo") == "bär"
    h.attr_remove("test.foo")
    with pytest.raises(FileNotFoundError):
        h.attr_get("test.foo")
    with pytest.raises(FileNotFoundError):
        h.attr_remove("test.foo")


def test_attributes_are_text(h: Flux) -> None:
    with pytest.raises(ValueError, match="value must be a string"):
        h.attr_set("test.foo", 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="name must be a string"):
        h.attr_set(42, "foo")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="name must be a string"):
        h.attr_remove(1)  # type: ignore[arg-type]


def test_an_attribute_that_never_changes_is_asked_for_once(h: Flux, echo: EchoThread) -> None:
    assert [h.attr_get("size"), h.attr_get("size"), h.get_rank(), h.get_rank()] == ["16", "16", 3, 3]
    assert len(echo.broker.heard) == 2


def test_the_configuration_is_fetched_once_and_found_by_dotted_names(h: Flux, echo: EchoThread) -> None:
    assert h.conf_get() == {"tbon": {"topo": "kary:2"}}
    assert h.conf_get("tbon.topo") == "kary:2"
    assert h.conf_get("tbon.nothing", default=42) == 42
    assert h.conf_get("tbon.topo.nothing") is None
    assert len(echo.broker.heard) == 1
    h.conf_get(update=True)
    assert len(echo.broker.heard) == 2


# -- events -----------------------------------------------------------------------------------------------------------


def test_an_event_is_heard_by_who_subscribed(h: Flux) -> None:
    assert h.event_subscribe("test") == 0
    assert h.event_send("test.a", {"x": 1}) == 0
    assert h.event_send("other.a", {"x": 2}) == 0
    assert h.event_send(b"test.b", '{"x": 3}') == 0
    first, second = h.event_recv(), h.event_recv("*.b")
    assert first is not None
    assert second is not None
    assert [(msg.topic, msg.payload) for msg in (first, second)] == [("test.a", {"x": 1}), ("test.b", {"x": 3})]
    assert h.event_unsubscribe("test") == 0


def test_what_was_not_subscribed_cannot_be_unsubscribed(h: Flux) -> None:
    with pytest.raises(FileNotFoundError):
        h.event_unsubscribe("nonexistent.event")


def test_a_refused_subscription_is_none(h: Flux, echo: EchoThread) -> None:
    def refuse(request: Request) -> None:
        raise OSError(EPERM, "not you")

    echo.broker.answers["event.subscribe"] = refuse
    with pytest.raises(PermissionError, match="not you"):
        h.event_subscribe("test")
    assert h.session.subscriptions == frozenset()


# -- messages ---------------------------------------------------------------------------------------------------------


def test_recv_leaves_what_it_was_not_asked_for(h: Flux) -> None:
    h.event_subscribe("")
    for topic in ("a", "b", "c"):
        h.event_send(topic)
    assert [received(h, topic_glob="b"), received(h), received(h)] == ["b", "a", "c"]


def received(h: Flux, **wanted: Any) -> str:
    msg = h.recv(**wanted)
    return msg.topic if msg is not None else ""


def test_recv_need_not_wait(h: Flux) -> None:
    assert h.recv(flags=constants.FLUX_O_NONBLOCK) is None
    h.event_subscribe("a")
    h.event_send("a")
    h.rpc("echo.x").get()
    assert received(h, flags=constants.FLUX_O_NONBLOCK) == "a"


def test_a_request_of_ones_own_making_is_answered_by_recv(h: Flux) -> None:
    msg = Message()
    msg.topic, msg.payload = "echo.x", {"a": 1}
    msg.handle.matchtag = 77
    assert h.send(msg) == 0
    assert h.rpc("echo.y", {"b": 2}).get() == {"b": 2}
    answer = h.recv(RESPONSE, match_tag=77)
    assert answer is not None
    assert answer.decode() == (RESPONSE, "echo.x", '{"a": 1}')


def test_a_lost_broker_ends_recv(h: Flux) -> None:
    h.rpc("echo.die", flags=constants.FLUX_RPC_NORESPONSE)
    with pytest.raises(ConnectionResetError, match="lost connection"):
        h.recv()


def test_a_lost_broker_ends_the_reactor(h: Flux) -> None:
    with h.msg_watcher_create(print, EVENT):
        h.rpc("echo.die", flags=constants.FLUX_RPC_NORESPONSE)
        with pytest.raises(ConnectionResetError, match="lost connection"):
            h.reactor_run()


def test_a_log_line_is_a_record_that_wants_no_answer(h: Flux, echo: EchoThread) -> None:
    h.log(syslog.LOG_INFO, "hello\nthere")
    h.log(syslog.LOG_ERR, b"world")
    h.rpc("echo.x").get()
    records = [msg for msg in echo.broker.heard if isinstance(msg, Request) and msg.topic == "log.append"]
    texts = [(msg.payload() or b"").decode() for msg in records]
    lines = [read_logline(text) for text in texts]
    assert [(line.severity, line.rank, line.text) for line in lines] == [
        (6, 3, "hello"),
        (6, 3, "there"),
        (3, 3, "world"),
    ]
    assert not any(msg.wants_answer for msg in records)


# -- services ---------------------------------------------------------------------------------------------------------


def serve(h: Flux, callback: Callable[..., Any], topic: str, **how: Any) -> Any:
    return h.msg_watcher_create(callback, REQUEST, topic, **how).start()


def test_a_program_may_be_a_service(h: Flux) -> None:
    assert h.service_register("foo").get() is None
    serve(h, lambda h, w, msg, args: h.respond(msg, msg.payload), "foo.*")
    answer = h.rpc("foo.echo", {"a": 1}).then(lambda f: h.reactor_stop())
    assert h.reactor_run() > 0
    assert answer.get() == {"a": 1}
    assert h.service_unregister("foo").get() is None
    with pytest.raises(OSError) as refused:
        h.rpc("foo.echo").get()
    assert refused.value.errno == ENOSYS


def test_a_service_has_one_owner(h: Flux) -> None:
    h.service_register("foo").get()
    for request, errnum in (
        (h.service_register("foo"), EEXIST),
        (h.service_unregister("bar"), ENOENT),
        (h.rpc("service.add"), EPROTO),
    ):
        with pytest.raises(OSError) as refused:
            request.get()
        assert refused.value.errno == errnum


def refusal_of(h: Flux, topic: str, **how: Any) -> tuple[int | None, str | None]:
    got = list[tuple[int | None, str | None]]()

    def answered(future: Any) -> None:
        with pytest.raises(OSError) as refused:
            future.get()
        got.append((refused.value.errno, refused.value.strerror))
        h.reactor_stop()

    h.rpc(topic, **how).then(answered)
    h.reactor_run()
    return got[0]


def test_a_service_may_refuse(h: Flux) -> None:
    h.service_register("foo").get()
    serve(h, lambda h, w, msg, args: h.respond_error(msg, EPERM, "not today"), "foo.*")
    assert refusal_of(h, "foo.bar") == (EPERM, "not today")


def test_a_method_that_nobody_serves_is_refused(h: Flux) -> None:
    h.service_register("foo").get()
    serve(h, print, "foo.bar")
    assert refusal_of(h, "foo.other") == (ENOSYS, "Unknown service method 'foo.other'")


def test_a_guest_needs_to_be_let_in(echo: EchoThread, h: Flux, monkeypatch: pytest.MonkeyPatch) -> None:
    def welcome(h: Flux, watcher: Any, msg: Message, args: Any) -> None:
        h.respond(msg, {"hello": "guest"})
        h.reactor_stop()

    h.service_register("foo").get()
    serve(h, lambda h, w, msg, args: h.respond(msg), "foo.*")
    serve(h, welcome, "foo.open", rolemask=constants.FLUX_ROLE_ALL)
    monkeypatch.setenv("FLUX_HANDLE_ROLEMASK", "2")
    with Flux(echo.uri) as guest:
        closed, opened = guest.rpc("foo.closed"), guest.rpc("foo.open")
        h.reactor_run()
        with pytest.raises(PermissionError, match="requires owner credentials"):
            closed.get()
        assert opened.get() == {"hello": "guest"}


def test_a_service_may_stream(h: Flux) -> None:
    def count(h: Flux, watcher: Any, msg: Message, args: Any) -> None:
        for n in range(3):
            h.respond(msg, {"n": n})
        h.respond_error(msg, ENODATA)

    def answered(future: Any) -> None:
        try:
            got.append(future.get()["n"])
            future.reset()
        except OSError:
            h.reactor_stop()

    got = list[int]()
    h.service_register("foo").get()
    serve(h, count, "foo.count")
    h.rpc("foo.count", flags=constants.FLUX_RPC_STREAMING).then(answered)
    h.reactor_run()
    assert got == [0, 1, 2]


def test_all_watchers_hear_an_event_and_the_newest_answers_a_request(h: Flux) -> None:
    def answer(h: Flux, watcher: Any, msg: Message, args: Any) -> None:
        got.append(f"{args} request")
        h.respond(msg)

    got = list[str]()
    h.service_register("foo").get()
    h.event_subscribe("foo")
    for name in ("old", "new"):
        h.msg_watcher_create(lambda h, w, msg, args: got.append(f"{args} event"), EVENT, args=name).start()
        serve(h, answer, "*", args=name)
    h.event_send("foo.bar")
    h.rpc("foo.bar").then(lambda f: h.reactor_stop())
    h.reactor_run()
    assert got == ["new event", "old event", "new request"]


def test_a_watcher_that_is_stopped_takes_no_messages(h: Flux) -> None:
    h.event_subscribe("foo")
    watcher = h.msg_watcher_create(lambda *_: pytest.fail("called"), topic_glob=b"foo.*")
    with watcher:
        pass
    watcher.destroy()
    h.event_send("foo.bar")
    assert h.reactor_run() == 0
    assert received(h) == "foo.bar"


def test_what_a_message_watcher_raises_comes_out_and_the_next_message_is_not_lost(h: Flux) -> None:
    got = list[str]()

    def heard(h: Flux, watcher: Any, msg: Message, args: Any) -> None:
        got.append(msg.topic)
        if msg.topic == "foo.1":
            raise RuntimeError("a mistake")
        h.reactor_stop()

    h.event_subscribe("foo")
    h.msg_watcher_create(heard, EVENT).start()
    h.event_send("foo.1")
    h.event_send("foo.2")
    with pytest.raises(RuntimeError, match="a mistake"):
        h.reactor_run()
    h.reactor_run()
    assert got == ["foo.1", "foo.2"]


# -- interruptions and threads ----------------------------------------------------------------------------------------


def test_ctrl_c_ends_get_and_the_handle_goes_on(h: Flux, echo: EchoThread) -> None:
    main = threading.main_thread().ident
    assert main is not None
    echo.broker.answers["echo.interrupt"] = lambda request: signal.pthread_kill(main, signal.SIGINT)
    for n in range(20):
        with pytest.raises(KeyboardInterrupt):
            h.rpc("echo.interrupt").get()
        assert h.rpc("echo.x", {"n": n}).get() == {"n": n}
    assert len(h.session) == 0


def test_each_thread_has_its_own_handle_and_reactor(echo: EchoThread) -> None:
    got = list[Any]()

    def work(n: int) -> None:
        with Flux(echo.uri) as h:
            h.rpc("echo.x", {"n": n}).then(lambda f: got.append(f.get()["n"]))
            h.reactor_run()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [0, 1, 2, 3]


def test_what_callbacks_send_leaves_when_the_reactor_ends(h: Flux, echo: EchoThread) -> None:
    def answered(future: Any) -> None:
        h.event_send("late")
        h.reactor_stop()

    h.rpc("echo.x").then(answered)
    h.reactor_run()
    h.rpc("echo.y").get()
    assert [msg.topic for msg in echo.broker.heard if isinstance(msg, Event)] == ["late"]


# -- the package ------------------------------------------------------------------------------------------------------


def loaded(program: str) -> set[str]:
    text = f"import sys; {program}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout.split())


def test_importing_flux_imports_next_to_nothing() -> None:
    assert {name for name in loaded("import flux") if name.startswith("flux")} == {"flux"}


def test_a_handle_needs_no_event_loop() -> None:
    modules = loaded("import flux; flux.Flux")
    assert not modules & {"asyncio", "socket", "selectors", "threading", "logging", "dataclasses", "subprocess", "zmq"}


def test_submodules_are_there_by_name() -> None:
    assert "flux.constants" in loaded("import flux; flux.constants.FLUX_NODEID_ANY")
    with pytest.raises(AttributeError, match="nosuchmodule"):
        _ = flux.nosuchmodule


def test_other_distributions_may_add_to_the_package(tmp_path: Any) -> None:
    (tmp_path / "flux").mkdir()
    (tmp_path / "flux" / "extension.py").write_text("")
    assert "flux.extension" in loaded(f"sys.path.append({str(tmp_path)!r}); import flux.extension")
