"""From a handle's socket to who waits for messages, while a reactor runs."""

from errno import ENOSYS, EPERM
from typing import TYPE_CHECKING

from flux.runtime.reactor import Reactor
from flux.runtime.watch import READABLE, FdWatch, PrepareWatch
from flux.wire.message import OWNER, Event, Message, Request, refuse

if TYPE_CHECKING:
    from flux.core.channel import Channel
    from flux.message import MessageWatcher


class Dispatch:
    """One handle in one reactor. It keeps the reactor running while somebody holds it."""

    def __init__(self, handle: "Channel", reactor: Reactor, *, keep: bool = False) -> None:
        self.reactor = reactor
        self._handle = handle
        self._keep = keep
        """Leave what nobody here waits for to others. Else requests are refused, the rest is dropped."""
        self._holders = 0
        self._watchers: list[MessageWatcher] = []
        self._fd = FdWatch(reactor, handle.connection.fileno(), READABLE, self._readable)
        self._prepare = PrepareWatch(reactor, self._before_waiting)
        self._prepare.count(False)

    def hold(self) -> None:
        """Begins to read messages, if it has not begun."""
        self._holders += 1
        if self._holders == 1:
            self._fd.start()
            self._prepare.start()

    def release(self) -> None:
        """Takes a `hold` back."""
        self._holders -= 1
        if self._holders == 0:
            self._fd.stop()
            self._prepare.stop()

    def add(self, watcher: "MessageWatcher") -> None:
        """Adds one who wants messages. The last one who was added is asked first."""
        self._watchers.insert(0, watcher)
        self.hold()

    def remove(self, watcher: "MessageWatcher") -> None:
        """Takes one out."""
        self._watchers.remove(watcher)
        self.release()

    @property
    def flushes(self) -> bool:
        """Whether what is queued will be sent without another word, at the end of the turn."""
        return self.reactor.running and self._fd.started

    def _before_waiting(self) -> None:
        if self._handle.connection.pending:
            self._read()
        if self._handle.inbox and not self._keep:
            self.reactor.soon(self._deliver)

    def _readable(self, happened: int) -> None:
        self._read()
        self._deliver()

    def _read(self) -> None:
        try:
            self._handle.wait(0)
        except OSError:
            # Requests have got their error. Who waits for other messages has to be told here.
            self._fd.stop()
            if self._watchers:
                raise

    def _deliver(self) -> None:
        inbox = self._handle.inbox
        kept: list[Message] = []
        try:
            while inbox and not self.reactor.stopping:
                msg = inbox.popleft()
                if not self._give(msg):
                    if self._keep:
                        kept.append(msg)
                    elif isinstance(msg, Request):
                        self._refuse(msg, ENOSYS, f"Unknown service method '{msg.topic}'")
        finally:
            inbox.extendleft(reversed(kept))

    def _give(self, msg: Message) -> bool:
        taken = False
        for watcher in self._watchers[:]:
            if watcher.match.accepts(msg):
                taken = True
                if isinstance(msg, Request) and not msg.rolemask & watcher.rolemask:
                    self._refuse(msg, EPERM, _why(watcher.rolemask))
                else:
                    watcher.take(msg)
                if not isinstance(msg, Event):
                    break
        return taken

    def _refuse(self, request: Request, errnum: int, text: str) -> None:
        if request.wants_answer:
            self._handle.send_message(refuse(request, errnum, text))


def _why(rolemask: int) -> str:
    if rolemask == OWNER:
        return "Request requires owner credentials"
    return "Request rejected due to insufficient privilege"
