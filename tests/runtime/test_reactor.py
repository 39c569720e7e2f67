"""The reactor and what it watches."""

import os
import signal
import threading
from collections.abc import Callable

import pytest

from flux.runtime.reactor import NOWAIT, ONCE, Reactor
from flux.runtime.watch import (
    FAILED,
    READABLE,
    WRITABLE,
    CheckWatch,
    FdWatch,
    IdleWatch,
    PrepareWatch,
    SignalWatch,
    TimerWatch,
)


def steps(*acts: Callable[[], object]) -> Callable[..., None]:
    """A callback that does one thing after the other."""

    def act(*_: object) -> None:
        for one in acts:
            one()

    return act


def test_it_ends_at_once_when_nothing_is_left_to_wait_for() -> None:
    assert Reactor().run() == 0


def test_timers_ring_in_the_order_of_their_times() -> None:
    reactor, rang = Reactor(), list[str]()
    for name, after in (("late", 0.02), ("soon", 0.01), ("now", 0.0)):
        TimerWatch(reactor, after, 0, lambda name=name: rang.append(name)).start()  # type: ignore[misc]
    assert reactor.run() == 0
    assert rang == ["now", "soon", "late"]


def test_a_repeating_timer_rings_until_it_is_stopped() -> None:
    reactor, rang = Reactor(), list[int]()

    def ring() -> None:
        rang.append(1)
        if len(rang) == 3:
            timer.stop()

    timer = TimerWatch(reactor, 0, 0.001, ring)
    timer.start()
    reactor.run()
    assert len(rang) == 3


def test_a_timer_that_is_set_again_forgets_its_first_time() -> None:
    reactor, rang = Reactor(), list[int]()
    timer = TimerWatch(reactor, 0, 0, lambda: rang.append(1))
    timer.start()
    timer.set(0.001, 0)
    reactor.run()
    assert rang == [1]


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(OSError, match="negative"):
        TimerWatch(Reactor(), -1, 0, lambda: None)


def test_stop_leaves_the_rest_for_the_next_run() -> None:
    reactor, rang = Reactor(), list[int]()

    def ring(number: int) -> Callable[[], None]:
        def act() -> None:
            rang.append(number)
            reactor.stop()

        return act

    for number in range(3):
        TimerWatch(reactor, 0, 0, ring(number)).start()
    assert reactor.run() == 2
    assert rang == [0]
    assert [reactor.run(), reactor.run(), reactor.run()] == [1, 0, 0]
    assert rang == [0, 1, 2]


def test_stop_error_is_minus_one() -> None:
    reactor = Reactor()
    reactor.soon(reactor.stop_error)
    assert reactor.run() == -1


def test_what_a_callback_raises_comes_out_and_the_reactor_goes_on_afterwards() -> None:
    reactor, done = Reactor(), list[int]()

    def fail() -> None:
        raise RuntimeError("a mistake")

    reactor.soon(fail)
    reactor.soon(lambda: done.append(1))
    with pytest.raises(RuntimeError, match="a mistake"):
        reactor.run()
    assert not done
    reactor.run()
    assert done == [1]


def test_a_run_that_does_not_wait_takes_one_turn() -> None:
    reactor, rang = Reactor(), list[int]()
    TimerWatch(reactor, 0, 0, lambda: rang.append(0)).start()
    TimerWatch(reactor, 3600, 0, lambda: rang.append(1)).start()
    assert reactor.run(NOWAIT) == 1
    assert reactor.run(NOWAIT) == 1
    assert rang == [0]


def test_a_run_may_wait_for_one_thing() -> None:
    reactor, rang = Reactor(), list[int]()
    TimerWatch(reactor, 0.001, 0.001, lambda: rang.append(0)).start()
    assert reactor.run(ONCE) == 1
    assert rang == [0]


def test_a_watch_that_is_not_counted_keeps_nothing_running() -> None:
    reactor = Reactor()
    timer = TimerWatch(reactor, 3600, 0, lambda: None)
    timer.start()
    timer.count(False)
    assert reactor.run() == 0
    timer.count(True)
    assert reactor.active == 1


def test_a_run_within_a_callback_has_an_end_of_its_own() -> None:
    reactor, order = Reactor(), list[str]()

    def outer() -> None:
        TimerWatch(reactor, 0, 0, inner).start()
        order.append(f"inner run {reactor.run()}")

    def inner() -> None:
        order.append("inner")
        reactor.stop()

    reactor.soon(outer)
    TimerWatch(reactor, 0.001, 0, lambda: order.append("after")).start()
    reactor.run()
    assert order == ["inner", "inner run 1", "after"]


# -- descriptors ------------------------------------------------------------------------------------------------------


def test_descriptors_say_what_is_true_of_them() -> None:
    reactor, seen = Reactor(), list[tuple[str, int]]()
    reader, writer = os.pipe()

    def readable(events: int) -> None:
        seen.append((os.read(reader, 10).decode(), events))
        reactor.stop()

    def writable(events: int) -> None:
        assert events == WRITABLE
        os.write(writer, b"hello")
        watch.stop()

    FdWatch(reactor, reader, READABLE, readable).start()
    watch = FdWatch(reactor, writer, READABLE | WRITABLE | FAILED, writable)
    watch.start()
    assert reactor.run() == 1
    assert seen == [("hello", READABLE)]
    os.close(reader)
    os.close(writer)


def test_the_end_of_a_pipe_is_readable() -> None:
    reactor, seen = Reactor(), list[int]()
    reader, writer = os.pipe()
    os.close(writer)
    watch = FdWatch(reactor, reader, READABLE, lambda events: steps(lambda: seen.append(events), watch.stop)())
    watch.start()
    reactor.run()
    assert seen == [READABLE]
    os.close(reader)


def test_two_may_watch_one_descriptor() -> None:
    reactor, seen = Reactor(), list[str]()
    reader, writer = os.pipe()
    os.write(writer, b"x")
    first = FdWatch(reactor, reader, READABLE, steps(lambda: seen.append("first"), lambda: first.stop()))
    second = FdWatch(reactor, reader, READABLE, steps(lambda: seen.append("second"), lambda: second.stop()))
    first.start()
    second.start()
    reactor.run()
    assert seen == ["first", "second"]
    os.close(reader)
    os.close(writer)


def test_a_descriptor_that_somebody_closed_is_reported_once() -> None:
    reactor, seen = Reactor(), list[int]()
    reader, writer = os.pipe()
    FdWatch(reactor, reader, READABLE, seen.append).start()
    reactor.soon(lambda: os.close(reader))
    assert reactor.run() == 0
    assert seen == [FAILED]
    os.close(writer)


# -- turns ------------------------------------------------------------------------------------------------------------


def test_prepare_comes_before_the_wait_and_check_after_it() -> None:
    reactor, order = Reactor(), list[str]()
    PrepareWatch(reactor, lambda: order.append("prepare")).start()
    CheckWatch(reactor, lambda: order.append("check")).start()
    TimerWatch(reactor, 0.001, 0, steps(lambda: order.append("timer"), lambda: reactor.stop())).start()
    reactor.run()
    assert order == ["prepare", "check", "timer"]


def test_idle_is_called_when_nothing_else_happens() -> None:
    reactor, order = Reactor(), list[str]()
    reactor.soon(lambda: order.append("soon"))
    idle = IdleWatch(reactor, steps(lambda: order.append("idle"), lambda: idle.stop()))
    idle.start()
    reactor.run()
    assert order == ["soon", "idle"]


# -- signals ----------------------------------------------------------------------------------------------------------


def test_a_signal_is_an_event_and_its_handler_comes_back() -> None:
    reactor, seen = Reactor(), list[str]()
    before = signal.getsignal(signal.SIGUSR1)
    watch = SignalWatch(reactor, signal.SIGUSR1, steps(lambda: seen.append("usr1"), lambda: watch.stop()))
    watch.start()
    TimerWatch(reactor, 0, 0, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
    reactor.run()
    assert seen == ["usr1"]
    assert signal.getsignal(signal.SIGUSR1) == before


def test_a_signal_that_came_before_the_run_is_not_lost() -> None:
    reactor, seen = Reactor(), list[str]()
    watch = SignalWatch(reactor, signal.SIGUSR1, steps(lambda: seen.append("usr1"), lambda: watch.stop()))
    watch.start()
    os.kill(os.getpid(), signal.SIGUSR1)
    reactor.run()
    assert seen == ["usr1"]


def test_a_watch_that_starts_while_the_reactor_runs_is_woken() -> None:
    reactor, seen = Reactor(), list[str]()
    watch = SignalWatch(reactor, signal.SIGUSR1, steps(lambda: seen.append("usr1"), lambda: watch.stop()))

    def begin() -> None:
        watch.start()
        threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1)).start()

    reactor.soon(begin)
    reactor.run()
    assert seen == ["usr1"]


@pytest.mark.parametrize("signum", [-500, 0, 500])
def test_a_number_that_is_no_signal_is_refused(signum: int) -> None:
    with pytest.raises(OSError, match="not a signal"):
        SignalWatch(Reactor(), signum, lambda: None)


def test_a_signal_that_nobody_can_catch_is_refused() -> None:
    reactor = Reactor()
    with pytest.raises(OSError, match="cannot be caught"):
        SignalWatch(reactor, signal.SIGKILL, lambda: None).start()
    assert reactor.active == 0


def test_another_thread_has_a_reactor_but_no_signals() -> None:
    said = list[object]()

    def work() -> None:
        reactor = Reactor()
        TimerWatch(reactor, 0, 0, lambda: said.append("rang")).start()
        said.append(reactor.run())
        try:
            SignalWatch(reactor, signal.SIGUSR1, lambda: None).start()
        except OSError as error:
            said.append(error.strerror)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said[:2] == ["rang", 0]
    assert "cannot be caught" in str(said[2])


def test_ctrl_c_ends_a_run_and_the_reactor_goes_on_afterwards() -> None:
    reactor, rang = Reactor(), list[int]()
    TimerWatch(reactor, 0, 0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    TimerWatch(reactor, 0.01, 0, lambda: rang.append(1)).start()
    with pytest.raises(KeyboardInterrupt):
        reactor.run()
    reactor.run()
    assert rang == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_watches_ctrl_c_gets_it_instead() -> None:
    reactor, seen = Reactor(), list[str]()
    watch = SignalWatch(reactor, signal.SIGINT, steps(lambda: seen.append("int"), lambda: watch.stop()))
    watch.start()
    TimerWatch(reactor, 0, 0, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    reactor.run()
    assert seen == ["int"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
