"""Jobs in the manner of `concurrent.futures`."""

import concurrent.futures
import threading
from collections.abc import Iterator

import pytest

import flux
import flux.job
from flux.eventlog import EventLogEvent
from flux.job import FluxExecutor, FluxExecutorFuture, JobspecV1
from tests.session import Session

TRUE, FALSE = JobspecV1.from_command(["true"]), JobspecV1.from_command(["false"])
FOREVER = JobspecV1.from_command(["sleep", "inf"])
CLEAN = EventLogEvent({"name": "clean", "timestamp": 1.0})


@pytest.fixture
def executor(session: Session) -> Iterator[FluxExecutor]:
    with FluxExecutor(handle_args=(session.uri,)) as running:
        yield running


def test_results_are_exit_codes(executor: FluxExecutor) -> None:
    futures = [executor.submit(spec) for spec in (TRUE, FALSE, TRUE)]
    assert [future.result() for future in futures] == [0, 1, 0]
    assert len({future.jobid() for future in futures}) == 3


def test_several_threads_share_the_work(session: Session) -> None:
    with FluxExecutor(threads=3, thread_name_prefix="mine", handle_args=(session.uri,)) as executor:
        futures = [executor.submit(TRUE) for _ in range(7)]
        names = {thread.name for thread in threading.enumerate()}
        assert {"mine-0", "mine-1", "mine-2"} <= names
        assert all(future.result() == 0 for future in concurrent.futures.as_completed(futures))
    assert not {"mine-0", "mine-1", "mine-2"} & {thread.name for thread in threading.enumerate()}


def test_a_canceled_job_is_an_exception(session: Session, executor: FluxExecutor) -> None:
    future = executor.submit(FOREVER)
    happened = threading.Event()
    future.add_event_callback("exception", lambda future, event: happened.set())
    with flux.Flux(session.uri) as h:
        flux.job.cancel(h, future.jobid())
        attached = executor.attach(future.jobid())
    assert happened.wait(30)
    for one in (future, attached):
        found = one.exception()
        assert isinstance(found, flux.job.JobException) or one.result() != 0
        assert one.jobid() == future.jobid()


def test_what_is_refused_has_neither_id_nor_result(executor: FluxExecutor) -> None:
    refused = executor.submit(JobspecV1.from_command(["true"], num_tasks=99))
    assert isinstance(refused.exception(), OSError)
    with pytest.raises(RuntimeError, match="job could not be submitted"):
        refused.jobid()
    assert isinstance(executor.submit(None).exception(), OSError)
    assert isinstance(executor.submit(TRUE, no_such_argument=1).exception(), TypeError)
    assert isinstance(executor.attach(12345).exception(), ValueError)


def test_events_of_the_past_and_the_future_are_told(executor: FluxExecutor) -> None:
    heard: list[str] = []
    future = executor.submit(TRUE)
    for name in FluxExecutor.EVENTS:
        future.add_event_callback(name, lambda future, event: heard.append(event.name))
    executor.shutdown()
    assert {"submit", "alloc", "start", "finish", "clean"} <= set(heard)
    before = len(heard)
    future.add_event_callback("clean", lambda future, event: heard.append("again"))
    assert heard[before:] == ["again"]
    with pytest.raises(ValueError, match="colour"):
        future.add_event_callback("colour", lambda future, event: None)


def test_a_callback_cannot_wait_for_itself(executor: FluxExecutor) -> None:
    found: list[BaseException] = []

    def wait(future: FluxExecutorFuture) -> None:
        try:
            future.result()
        except RuntimeError as error:
            found.append(error)

    executor.submit(TRUE).add_jobid_callback(wait).result()
    assert [str(error) for error in found] == ["Cannot wait for future from inside callback"]


def test_nothing_is_taken_after_shutdown(session: Session) -> None:
    executor = FluxExecutor(handle_args=(session.uri,))
    future = executor.submit(TRUE)
    executor.shutdown(wait=False)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(TRUE)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.attach(1)
    executor.shutdown()
    executor.shutdown()
    assert future.result(timeout=0) == 0


def test_shutdown_may_cancel_what_is_not_submitted(session: Session) -> None:
    executor = FluxExecutor(handle_args=(session.uri,))
    begun, go_on = threading.Event(), threading.Event()

    def hold(future: FluxExecutorFuture) -> None:
        begun.set()
        go_on.wait()

    first = executor.submit(TRUE).add_jobid_callback(hold)
    assert begun.wait(30)
    rest = [executor.submit(TRUE) for _ in range(3)]
    executor.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    executor.shutdown()
    assert first.result() == 0
    assert all(future.cancelled() for future in rest)
    with pytest.raises(concurrent.futures.CancelledError):
        rest[0].jobid()


def test_an_executor_that_nobody_has_ends(session: Session) -> None:
    executor = FluxExecutor(thread_name_prefix="forgotten", handle_args=(session.uri,))
    future = executor.submit(TRUE)
    del executor
    assert future.result() == 0
    assert "forgotten-0" not in {thread.name for thread in threading.enumerate()}


def test_there_is_a_thread_and_a_session(session: Session) -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        FluxExecutor(threads=0)
    with pytest.raises(OSError):
        FluxExecutor(handle_args=("local:///no/such",))


# -- futures alone ----------------------------------------------------------------------------------------------------


def test_a_future_tells_its_id_once() -> None:
    future, heard = FluxExecutorFuture(0), list[int]()
    future.add_jobid_callback(lambda done: heard.append(done.jobid()))
    with pytest.raises(concurrent.futures.TimeoutError):
        future.jobid(timeout=0)
    future._set_jobid(7)
    future.add_jobid_callback(lambda done: heard.append(done.jobid()))
    assert heard == [7, 7]
    with pytest.raises(RuntimeError, match="already set"):
        future._set_jobid(8)


def test_a_canceled_future_has_no_id() -> None:
    future = FluxExecutorFuture(0)
    assert future.cancel() and future.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        future.jobid()


def test_what_a_callback_raises_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    future, heard = FluxExecutorFuture(0), list[str]()
    future.add_event_callback("clean", lambda future, event: 1 / 0)
    future.add_event_callback("clean", lambda future, event: heard.append(event.name))
    future._set_event(CLEAN)
    assert heard == ["clean"]
    assert "exception calling callback" in caplog.text
