"""Futures and their callbacks."""

import gc
from errno import EDEADLK, EEXIST, EINVAL, ENODATA, ENOENT, ETIMEDOUT
from typing import Any

import pytest

from flux.constants import FLUX_RPC_STREAMING
from flux.core.handle import Flux
from flux.future import Future, FutureExt, WaitAllFuture
from flux.rpc import RPC


def test_a_callback_gets_the_future_and_what_it_was_given(h: Flux) -> None:
    got = list[Any]()
    h.rpc("echo.x", {"a": 1}).then(lambda f, one, two=None: got.append((f.get(), one, two)), "one", two="two")
    gc.collect()
    assert h.reactor_run() == 0
    assert got == [({"a": 1}, "one", "two")]


def test_a_callback_may_ask_further(h: Flux) -> None:
    got = list[int]()

    def answered(future: RPC) -> None:
        n = future.get()["n"]
        got.append(n)
        if n < 5:
            h.rpc("echo.x", {"n": n + 1}).then(answered)

    h.rpc("echo.x", {"n": 0}).then(answered)
    h.reactor_run()
    assert got == [0, 1, 2, 3, 4, 5]


def test_a_callback_may_wait(h: Flux) -> None:
    got = list[Any]()
    h.rpc("echo.x", {"n": 1}).then(lambda f: got.append((f.get(), h.rpc("echo.x", {"n": 2}).get())))
    h.rpc("echo.x", {"n": 3}).then(lambda f: got.append(f.get()))
    h.reactor_run()
    assert got == [({"n": 1}, {"n": 2}), {"n": 3}]


def test_a_callback_for_what_is_there_already_is_called_by_the_reactor(h: Flux) -> None:
    rpc, got = h.rpc("echo.x", {"a": 1}), list[Any]()
    rpc.get()
    rpc.then(lambda f: got.append(f.get()))
    assert not got
    h.reactor_run()
    assert got == [{"a": 1}]


def test_the_reactor_ends_when_all_answers_have_come(h: Flux) -> None:
    got = list[int]()
    for n in range(100):
        h.rpc("echo.x", {"n": n}).then(lambda f: got.append(f.get()["n"]))
    assert h.reactor_run() == 0
    assert got == list(range(100))


def test_a_second_callback_is_refused(h: Flux) -> None:
    rpc = h.rpc("echo.x").then(lambda f: None)
    with pytest.raises(FileExistsError) as refused:
        rpc.then(lambda f: None)
    assert refused.value.errno == EEXIST
    with pytest.raises(ValueError, match="None"):
        h.rpc("echo.x").then(None)  # type: ignore[arg-type]


def test_what_a_callback_raises_comes_out_of_the_reactor_and_it_is_not_called_again(h: Flux) -> None:
    def fail(future: RPC) -> None:
        raise RuntimeError("a mistake")

    h.rpc("echo.x").then(fail)
    with pytest.raises(RuntimeError, match="a mistake"):
        h.reactor_run()
    assert h.reactor_run() == 0


def test_a_stream_calls_once_an_answer(h: Flux) -> None:
    got = list[Any]()

    def answered(future: RPC) -> None:
        try:
            got.append(future.get()["n"])
            future.reset()
        except OSError as error:
            got.append(error.errno)

    h.rpc("echo.count", {"upto": 3}, flags=FLUX_RPC_STREAMING).then(answered)
    assert h.reactor_run() == 0
    assert got == [0, 1, 2, ENODATA]


def test_a_stream_that_is_stopped_calls_no_more(h: Flux) -> None:
    got = list[int]()

    def answered(future: RPC) -> None:
        got.append(future.get()["n"])
        future.stop()
        future.reset()

    h.rpc("echo.count", {"upto": 3}, flags=FLUX_RPC_STREAMING).then(answered)
    h.reactor_run()
    assert got == [0]


def test_a_callback_may_have_a_timeout(h: Flux) -> None:
    got = list[int | None]()

    def answered(future: RPC) -> None:
        with pytest.raises(TimeoutError) as error:
            future.get()
        got.append(error.value.errno)
        h.reactor_stop()

    h.rpc("echo.hold").then(answered, timeout=0.001)
    assert h.reactor_run() == 1
    assert got == [ETIMEDOUT]


def test_an_answer_in_time_ends_the_timeout(h: Flux) -> None:
    got = list[Any]()
    h.rpc("echo.x", {"a": 1}).then(lambda f: got.append(f.get()), timeout=3600)
    assert h.reactor_run() == 0
    assert got == [{"a": 1}]


def test_lost_requests_have_their_callbacks_called(h: Flux) -> None:
    got = list[str | None]()

    def answered(future: RPC) -> None:
        with pytest.raises(ConnectionResetError):
            future.get()
        got.append(future.error_string())

    h.rpc("echo.hold").then(answered)
    h.rpc("echo.die").then(answered)
    h.reactor_run()
    assert got == ["lost connection to the broker"] * 2


def test_a_future_of_a_future_waits_and_returns_nothing(h: Flux) -> None:
    plain = Future(h.rpc("echo.x", {"a": 1}))
    assert plain.get() is None
    assert plain.is_ready()
    assert plain.get_flux() is h
    with pytest.raises(OSError):
        Future(h.rpc("nosuch.service")).get()


def test_a_future_of_a_future_has_callbacks(h: Flux) -> None:
    got = list[bool]()
    Future(h.rpc("echo.x")).then(lambda f: got.append(f.is_ready()))
    h.reactor_run()
    assert got == [True]


def test_a_plain_future_is_fulfilled_by_the_program() -> None:
    future = Future()
    assert not future.is_ready()
    with pytest.raises(TimeoutError):
        future.wait_for(0)
    with pytest.raises(OSError) as refused:
        future.get()
    assert refused.value.errno == EDEADLK
    future.fulfill()
    assert future.is_ready()
    future.get()
    future.reset()
    future.fulfill_error(ENOENT, "gone")
    with pytest.raises(FileNotFoundError, match="gone"):
        future.get()


# -- composites -------------------------------------------------------------------------------------------------------


def test_all_children_are_waited_for(h: Flux) -> None:
    children = [h.rpc("echo.x", {"n": n}) for n in range(3)]
    together = WaitAllFuture()
    for child in children:
        together.push(child)
    together.get()
    assert [child.get()["n"] for child in children] == [0, 1, 2]


def test_all_children_together_have_a_callback(h: Flux) -> None:
    got = list[list[int]]()
    together = WaitAllFuture([h.rpc("echo.x", {"n": n}) for n in range(3)])
    together.then(lambda f: got.append([child.get()["n"] for child in f.children]))
    assert h.reactor_run() == 0
    assert got == [[0, 1, 2]]


def test_a_child_may_have_two_parents_and_a_callback(h: Flux) -> None:
    got = list[str]()
    child = h.rpc("echo.x").then(lambda f: got.append("child"))
    for name in ("one", "two"):
        WaitAllFuture([child]).then(lambda f, name: got.append(name), name)
    assert h.reactor_run() == 0
    assert sorted(got) == ["child", "one", "two"]


def test_no_children_are_ready() -> None:
    assert WaitAllFuture().is_ready()


def test_a_child_that_fails_makes_all_fail(h: Flux) -> None:
    with pytest.raises(OSError):
        WaitAllFuture([h.rpc("echo.x"), h.rpc("nosuch.service")]).get()


def test_waiting_for_children_has_an_end(h: Flux) -> None:
    with pytest.raises(TimeoutError):
        WaitAllFuture([h.rpc("echo.x"), h.rpc("echo.hold")]).wait_for(0.001)


# -- futures of a program's own ---------------------------------------------------------------------------------------


class Pings(FutureExt):
    """Five echoes, one after the other."""

    def __init__(self, handle: Flux) -> None:
        super().__init__(self.begin_pings, flux_handle=handle)

    def begin_pings(self, future: FutureExt) -> None:
        self.ping(1)

    def ping(self, seq: int) -> None:
        handle = self.get_flux()
        assert handle is not None
        handle.rpc("echo.x", {"seq": seq}).then(self.pong)

    def pong(self, future: RPC) -> None:
        seq = future.get()["seq"]
        if seq == 5:
            self.fulfill(future.get())
        else:
            self.ping(seq + 1)


def test_an_own_future_begins_when_somebody_waits(h: Flux) -> None:
    assert Pings(h).get() == {"seq": 5}


def test_an_own_future_begins_when_somebody_sets_a_callback(h: Flux) -> None:
    got = list[Any]()
    Pings(h).then(lambda f: got.append(f.get()))
    assert h.reactor_run() == 0
    assert got == [{"seq": 5}]


def test_waiting_for_an_own_future_calls_nobody_elses_callback(h: Flux) -> None:
    got = list[str]()
    h.rpc("echo.x").then(lambda f: got.append("other"))
    assert Pings(h).get() == {"seq": 5}
    assert not got
    h.reactor_run()
    assert got == ["other"]


def test_an_own_future_needs_no_handle_and_is_fulfilled_again_and_again() -> None:
    future = FutureExt(lambda f: f.fulfill("first"))
    assert future.get() == "first"
    future.reset()
    future.fulfill({"key": "value"})
    assert future.get() == {"key": "value"}
    future.reset()
    future.fulfill()
    assert future.get() is None
    future.reset()
    future.fulfill_error(EINVAL, "test error")
    with pytest.raises(OSError, match="test error"):
        future.get()


def test_an_own_future_that_nothing_will_fulfil_does_not_hang(h: Flux) -> None:
    with pytest.raises(OSError) as refused:
        FutureExt(lambda f: None, flux_handle=h).get()
    assert refused.value.errno == EDEADLK
    with pytest.raises(TimeoutError):
        FutureExt(lambda f: h.rpc("echo.hold").then(print), flux_handle=h).wait_for(0.001)


def test_what_an_own_future_raises_as_it_begins_comes_out() -> None:
    def fail(future: FutureExt) -> None:
        raise RuntimeError("a mistake")

    with pytest.raises(RuntimeError, match="a mistake"):
        FutureExt(fail).get()
