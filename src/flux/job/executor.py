"""Jobs in the manner of `concurrent.futures`: submitted from any thread, followed by threads of their own."""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple, Self

from flux.core.handle import Flux
from flux.job.event import MAIN_EVENTS, JobEventWatchFuture, JobException, event_watch_async
from flux.job.executorfuture import FluxExecutorFuture
from flux.job.submit import SubmitFuture, submit_async

__all__ = ["FluxExecutor", "FluxExecutorFuture"]

Begin = Callable[[Flux, FluxExecutorFuture, Callable[[int], None]], None]
"""Begins what a future is for: with a handle; the job is to be followed when it has an id."""


class Task(NamedTuple):
    """What a worker is to begin."""

    begin: Begin
    future: FluxExecutorFuture


class Worker:
    """A thread with a handle and a reactor of its own."""

    def __init__(self, name: str, handle: Flux) -> None:
        self._handle = handle
        self._tasks: deque[Task] = deque()
        self._running: set[FluxExecutorFuture] = set()
        self._ending = False
        self.broken: BaseException | None = None
        """Why it has given up."""
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.thread.start()

    # -- from any thread --------------------------------------------------------------------------------------------

    def put(self, task: Task) -> None:
        """Has something begun. RuntimeError if it has given up."""
        with self._lock:
            if self.broken is not None:
                raise RuntimeError("Executor is broken, new futures cannot be scheduled")
            self._tasks.append(task)
            self._wake()

    def end(self, cancel: bool = False) -> None:
        """Has it end when all is done; `cancel` drops what it has not begun."""
        with self._lock:
            dropped, self._tasks = (self._tasks, deque()) if cancel else (deque[Task](), self._tasks)
            self._ending = True
            self._wake()
        for task in dropped:
            task.future.cancel()
            task.future.set_running_or_notify_cancel()

    def _wake(self) -> None:
        if self._writer >= 0:
            with suppress(BlockingIOError):  # it has been told often enough
                os.write(self._writer, b"x")

    # -- in its thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with self._handle as handle:
                handle.fd_watcher_create(self._reader, self._woken).start()
                handle.reactor_run()
        except BaseException as error:
            self._give_up(error)
        finally:
            with self._lock:
                os.close(self._writer)
                os.close(self._reader)
                self._reader = self._writer = -1

    def _woken(self, *_: Any) -> None:
        os.read(self._reader, 4096)
        with self._lock:
            tasks, self._tasks = self._tasks, deque()
        for task in tasks:
            if task.future.set_running_or_notify_cancel():
                self._begin(task)
        self._end_if_done()

    def _begin(self, task: Task) -> None:
        self._running.add(task.future)
        try:
            task.begin(self._handle, task.future, lambda jobid: self._follow(jobid, task.future))
        except Exception as error:
            self._failed(task.future, error)

    def _follow(self, jobid: int, future: FluxExecutorFuture) -> None:
        """Called when the job has an id, or with -1 if it will have none."""
        if jobid < 0:
            self._done(future)
        else:
            event_watch_async(self._handle, jobid).then(self._heard, future)

    def _heard(self, watch: JobEventWatchFuture, future: FluxExecutorFuture) -> None:
        try:
            event = watch.get_event()
        except FileNotFoundError:
            self._failed(future, ValueError("job ID does not match any job"))
            return
        except Exception as error:
            self._failed(future, error)
            return
        if event is None:
            self._done(future)
            return
        if event.name in future.EVENTS:
            future._set_event(event)
        if future.done():
            return
        if event.name == "finish":
            future.set_result(os.waitstatus_to_exitcode(event.context["status"]))
        elif event.name == "exception" and event.context["severity"] == 0:
            future.set_exception(JobException(event))

    def _failed(self, future: FluxExecutorFuture, error: BaseException) -> None:
        if not future.done():
            future.set_exception(error)
        self._done(future)

    def _done(self, future: FluxExecutorFuture) -> None:
        self._running.discard(future)
        self._end_if_done()

    def _end_if_done(self) -> None:
        with self._lock:
            over = self._ending and not self._tasks and not self._running
        if over:
            self._handle.reactor_stop()

    def _give_up(self, error: BaseException) -> None:
        with self._lock:
            self.broken = error
            left = [*self._running, *(task.future for task in self._tasks)]
        for future in left:
            if not future.done():
                future.set_exception(error)


class FluxExecutor:
    """Submits jobs, and follows them: `submit` takes a jobspec, and returns a future at once.

    The future's result is the highest exit code of the job, or minus the number of the signal that ended it; its
    exception is a `flux.job.JobException` for a job that ended otherwise, an OSError for one that was refused. A future
    that is cancelled before its job is submitted has none; a job that is submitted is cancelled by `flux.job.cancel`.
    In a `with` it waits for all jobs in the end. Usable from any thread.
    """

    EVENTS = MAIN_EVENTS
    """The events that futures tell of."""
    _numbers = count()

    def __init__(
        self,
        threads: int = 1,
        thread_name_prefix: str = "",
        poll_interval: float = 0.1,
        handle_args: Sequence[Any] = (),
        handle_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        """Jobs are divided among so many `threads`, each with a `flux.Flux(*handle_args, **handle_kwargs)`.

        `poll_interval` is there for programs that give it: nothing is polled. ValueError for no threads; OSError if
        there is no connection.
        """
        if threads < 1:
            raise ValueError("the number of threads must be > 0")
        prefix = thread_name_prefix or f"{type(self).__name__}-{next(self._numbers)}"
        handles = [Flux(*handle_args, **(handle_kwargs or {})) for _ in range(threads)]
        self._workers = [Worker(f"{prefix}-{number}", handle) for number, handle in enumerate(handles)]
        self._lock = threading.Lock()
        self._next = 0
        self._over = False
        self._finalizer = weakref.finalize(self, _end, self._workers)

    def submit(self, *args: Any, **kwargs: Any) -> FluxExecutorFuture:
        """Submits a job; takes what `flux.job.submit` does after the handle: jobspec, urgency, waitable, ...

        RuntimeError after `shutdown`, or when the connection is lost.
        """

        def begin(handle: Flux, future: FluxExecutorFuture, follow: Callable[[int], None]) -> None:
            def submitted(answer: SubmitFuture) -> None:
                try:
                    jobid = answer.get_id()
                except Exception as error:
                    future.set_exception(error)
                    follow(-1)
                else:
                    future._set_jobid(jobid)
                    follow(jobid)

            submit_async(handle, *args, **kwargs).then(submitted)

        return self._put(begin)

    def attach(self, jobid: int) -> FluxExecutorFuture:
        """Follows a job that was submitted before. A future as of `submit`; its exception is a ValueError for an
        unknown job. RuntimeError after `shutdown`, or when the connection is lost."""

        def begin(handle: Flux, future: FluxExecutorFuture, follow: Callable[[int], None]) -> None:
            follow(jobid)

        return self._put(begin, lambda future: future._set_jobid(jobid))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more jobs. With `wait` returns when all are over, and the threads have ended.

        `cancel_futures` cancels those that are not submitted yet. May be called again.
        """
        with self._lock:
            self._over = True
        for worker in self._workers:
            worker.end(cancel_futures)
        if wait:
            _join(self._workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown(wait=True)

    def _put(self, begin: Begin, prepare: Callable[[FluxExecutorFuture], Any] = id) -> FluxExecutorFuture:
        with self._lock:
            if self._over:
                raise RuntimeError("cannot schedule new futures after shutdown")
            worker = self._workers[self._next]
            self._next = (self._next + 1) % len(self._workers)
            future = FluxExecutorFuture(worker.thread.ident)
            prepare(future)
            worker.put(Task(begin, future))
            return future


def _end(workers: Iterable[Worker]) -> None:
    """When nobody refers to an executor any more, and when the program ends: as `shutdown`."""
    workers = list(workers)
    for worker in workers:
        worker.end()
    _join(workers)


def _join(workers: Iterable[Worker]) -> None:
    for worker in workers:
        if worker.thread is not threading.current_thread():
            worker.thread.join()
