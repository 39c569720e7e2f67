"""The half of a service that answers: from a request to the method that serves it, and from what that gives back."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from errno import EIO, ENOSYS, EPERM, EPROTO
from inspect import isasyncgen, iscoroutine, isgenerator
from typing import Any, ClassVar

from flux.service.asker import REQUEST, Asker
from flux.service.call import LATER, Call
from flux.service.levels import LOG_ERR
from flux.service.ports import Host
from flux.service.topics import Topic
from flux.wire.message import Request

JSON_OR_RAW = (dict, bytes)


class Server(Asker):
    """An asker that serves topics, and remembers the calls whose answer is not complete."""

    topics: ClassVar[dict[str, Topic]] = {}

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.__calls: dict[tuple[bytes, int], Call] = {}
        self.__tasks: dict[asyncio.Task[None], None] = {}

    def serve(self, msg: Request) -> None:
        """Has the method of that topic answer. Its refusals go to the caller, its mistakes to the log as well."""
        self.received[REQUEST] += 1
        call = Call(msg, self.send)
        topic = self.topics.get(msg.topic) or self.__cancelling(msg.topic)
        try:
            if topic is None:
                raise OSError(ENOSYS, f"Unknown service method '{msg.topic}'")
            if not msg.rolemask & topic.roles:
                raise OSError(EPERM, "Request requires owner credentials")
            if topic.stream and not msg.streaming:
                raise OSError(EPROTO, f"{msg.topic} needs a streaming request")
            self.__settle(call, topic.function(self, call, **topic.arguments(msg)))
        except OSError as error:
            call.refuse(error.errno or EIO, error.strerror or str(error))
        except Exception:
            self.bug(call)

    def __cancelling(self, topic: str) -> Topic | None:
        """Some of today's streams have a topic of their own by which they are cancelled: WHAT-cancel."""
        if topic.removesuffix("-cancel") not in self.topics:
            return None
        return self.topics.get(f"{self.name}.cancel")

    def __settle(self, call: Call, outcome: Any) -> None:
        """Answers as a method's outcome says: an answer, a stream of them, LATER, or any of these by a coroutine."""
        if outcome is None or isinstance(outcome, JSON_OR_RAW):
            call.respond(outcome)
            if call.request.streaming:
                call.end()
        elif outcome is LATER:
            self.keep(call)
        elif iscoroutine(outcome):
            self.run(self.__settle_later(call, outcome), call=call, inside=outcome)
        elif not (isgenerator(outcome) or isasyncgen(outcome)):
            raise TypeError(f"{call.request.topic} answered {type(outcome).__name__}")
        elif not call.request.streaming:
            raise OSError(EPROTO, f"{call.request.topic} needs a streaming request")
        elif isgenerator(outcome):
            _pour(call, outcome)
        else:
            self.run(_pour_slowly(call, outcome), call=call)

    async def __settle_later(self, call: Call, outcome: Coroutine[Any, Any, Any]) -> None:
        self.__settle(call, await outcome)

    # -- calls that are not answered yet ----------------------------------------------------------------------------

    def keep(self, call: Call) -> None:
        """Remembers a call that is answered later, so that a caller that leaves takes it along."""
        if call.closed:
            return
        before = self.__calls.get(call.key)
        if before is not None and before is not call:
            before.abandon()  # a caller that uses a matchtag twice could not be told which one is meant
        self.__calls[call.key] = call
        call.forget = self.__forget

    def __forget(self, call: Call) -> None:
        if self.__calls.get(call.key) is call:
            del self.__calls[call.key]

    def open_call(self, sender: bytes, matchtag: int) -> Call | None:
        """The call of that sender with that matchtag, if it still waits."""
        return self.__calls.get((sender, matchtag))

    def open_calls(self, of: Callable[[Request], bool] = lambda request: True) -> list[Call]:
        """The calls that still wait, those of certain requests."""
        return [call for call in self.__calls.values() if of(call.request)]

    # -- tasks ------------------------------------------------------------------------------------------------------

    def run(
        self,
        work: Coroutine[Any, Any, None],
        *,
        call: Call | None = None,
        inside: Coroutine[Any, Any, Any] | None = None,
    ) -> None:
        """Runs something in the background; it ends with the service, and with its caller if there is one.

        `inside` is what `work` awaits: both are closed in case they never begin, of which Python would complain.
        """
        task = asyncio.get_running_loop().create_task(self._guarded_run(work, call))
        self.__tasks[task] = None
        task.add_done_callback(self.__tasks.pop)
        task.add_done_callback(lambda _: [begun.close() for begun in (work, inside) if begun is not None])
        if call is not None:
            self.keep(call)
            call.on_close = task.cancel

    async def end_tasks(self) -> None:
        """Cancels what runs in the background, and waits until it has ended."""
        tasks = [task for task in self.__tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded_run(self, work: Coroutine[Any, Any, None], call: Call | None) -> None:
        try:
            await work
        except OSError as error:
            if call is None:
                self.log(LOG_ERR, f"{error.strerror or error}")
            else:
                call.refuse(error.errno or EIO, error.strerror or str(error))
        except Exception:
            self.bug(call)

    # -- mistakes ---------------------------------------------------------------------------------------------------

    def guarded(self, do: Callable[..., None], *args: Any) -> None:
        """Calls something that nobody waits for: what it raises is logged."""
        try:
            do(*args)
        except Exception:
            self.bug(None)

    def bug(self, call: Call | None) -> None:
        """A mistake of ours: traceback to the log, EIO to the caller, the broker lives."""
        self.log(LOG_ERR, traceback.format_exc().rstrip())
        if call is not None:
            call.refuse(EIO, f"{call.request.topic} failed (see flux dmesg)")


def _pour(call: Call, answers: Iterator[Any]) -> None:
    for answer in answers:
        call.respond(answer)
    call.end()


async def _pour_slowly(call: Call, answers: AsyncIterator[Any]) -> None:
    async for answer in answers:
        call.respond(answer)
    call.end()
