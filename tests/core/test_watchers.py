"""Watchers of a handle, and its reactor."""

import gc
import os
import signal
from typing import Any

import pytest

import flux
from flux.constants import FLUX_POLLIN
from flux.core.handle import Flux
from flux.core.watchers import TimerWatcher


def test_a_timer_calls_with_handle_watcher_events_and_args(h: Flux) -> None:
    got = list[tuple[Any, ...]]()

    def rang(*args: Any) -> None:
        got.append(args)
        h.reactor_stop()

    with h.timer_watcher_create(0.001, rang, args="args") as timer:
        assert h.reactor_run() == 0
    assert got == [(h, timer, 0, "args")]


def test_a_timer_is_refused_a_negative_time(h: Flux) -> None:
    with pytest.raises(OSError):
        h.timer_watcher_create(-500, print)


def test_a_timer_that_is_stopped_rings_no_more(h: Flux) -> None:
    timer = h.timer_watcher_create(0, lambda *_: pytest.fail("rang"))
    timer.start()
    timer.stop()
    assert not timer.is_active()
    assert h.reactor_run() == 0
    timer.destroy()


def test_a_timer_without_a_reference_still_rings(h: Flux) -> None:
    rang = list[int]()

    def ring(handle: Flux, watcher: TimerWatcher, revents: int, args: Any) -> None:
        rang.append(1)
        gc.collect()
        if len(rang) == 3:
            handle.reactor_stop()

    h.timer_watcher_create(0.0, ring, repeat=0.001).start()
    h.reactor_run()
    assert len(rang) == 3


def test_a_timer_is_reset_to_its_first_times_or_to_others(h: Flux) -> None:
    rang = list[int]()
    timer = h.timer_watcher_create(3600, lambda *_: rang.append(1))
    timer.start()
    timer.reset(after=0)
    assert h.reactor_run() == 0
    assert rang == [1]
    timer.reset()
    assert timer.is_active()
    timer.stop()


def test_what_a_watcher_raises_comes_out_of_the_reactor(h: Flux) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("this is a test")

    with h.timer_watcher_create(0, fail), pytest.raises(RuntimeError, match="this is a test"):
        h.reactor_run()


def test_an_exception_may_be_set_for_later(h: Flux) -> None:
    def fail(handle: Flux, *_: Any) -> None:
        assert Flux.set_exception(ValueError("set")) is None
        handle.reactor_stop_error()

    with h.timer_watcher_create(0, fail), pytest.raises(ValueError, match="set"):
        h.reactor_run()
    Flux.raise_if_exception()


def test_stop_error_makes_the_reactor_return_minus_one(h: Flux) -> None:
    with h.timer_watcher_create(0, lambda handle, *_: handle.reactor_stop_error()):
        assert h.reactor_run() == -1


def test_the_reactor_is_known_to_run(h: Flux) -> None:
    seen = list[bool]()
    h.timer_watcher_create(0, lambda handle, *_: seen.append(handle.reactor_running())).start()
    h.reactor_run()
    assert seen == [True]
    assert not h.reactor_running()


def test_a_descriptor_calls_with_its_number_and_what_is_true_of_it(h: Flux) -> None:
    reader, writer = os.pipe()
    got = list[tuple[int, int, bytes]]()

    def readable(handle: Flux, watcher: Any, fd: int, revents: int, args: Any) -> None:
        got.append((fd, revents, os.read(fd, 10)))
        handle.reactor_stop()

    os.write(writer, b"a")
    with h.fd_watcher_create(reader, readable):
        assert h.reactor_run() == 1
    assert got == [(reader, FLUX_POLLIN, b"a")]
    os.close(reader)
    os.close(writer)


def test_a_signal_calls_with_its_number(h: Flux) -> None:
    got = list[int]()

    def came(handle: Flux, watcher: Any, signum: int, args: Any) -> None:
        got.append(signum)
        handle.reactor_stop()

    with h.signal_watcher_create(signal.SIGUSR1, came):
        h.timer_watcher_create(0, lambda *_: os.kill(os.getpid(), signal.SIGUSR1)).start()
        assert h.reactor_run() == 1
    assert got == [signal.SIGUSR1]


@pytest.mark.parametrize("signum", [-500, 0, 500])
def test_a_signal_that_is_none_is_refused(h: Flux, signum: int) -> None:
    with pytest.raises(OSError):
        h.signal_watcher_create(signum, print)


def test_prepare_idle_and_check_take_turns(h: Flux) -> None:
    turns = list[str]()

    def prepare(*_: Any) -> None:
        turns.append("prepare")
        idle.start()

    def check(handle: Flux, *_: Any) -> None:
        turns.append("check")
        idle.stop()
        if len(turns) == 4:
            handle.reactor_stop()

    idle = h.idle_watcher_create()
    with h.prepare_watcher_create(prepare), h.check_watcher_create(check):
        h.reactor_run()
    assert turns == ["prepare", "check", "prepare", "check"]


def test_a_watcher_may_be_one_that_the_reactor_does_not_wait_for(h: Flux) -> None:
    with h.timer_watcher_create(3600, print) as timer:
        timer.unref()
        assert h.reactor_run() == 0
        timer.ref()
        assert h.reactor_run(flags=flux.constants.FLUX_REACTOR_NOWAIT) == 1


def test_ctrl_c_ends_the_reactor(h: Flux) -> None:
    h.timer_watcher_create(0, lambda *_: os.kill(os.getpid(), signal.SIGINT)).start()
    with h.timer_watcher_create(3600, print), pytest.raises(KeyboardInterrupt):
        h.reactor_run()


def test_ctrl_c_ends_a_wait_within_a_callback(h: Flux) -> None:
    def wait(handle: Flux, *_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        handle.rpc("echo.hold").get()

    with h.timer_watcher_create(0, wait), pytest.raises(KeyboardInterrupt):
        h.reactor_run()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
