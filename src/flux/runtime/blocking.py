"""A connection to a broker for a program without an event loop. Bytes and messages; knows no RPC."""

from _socket import AF_UNIX, MSG_DONTWAIT, SOCK_STREAM
from _socket import socket as Socket
from collections.abc import Callable
from errno import EPROTO
from select import POLLIN, POLLOUT, poll
from time import monotonic, perf_counter, sleep, time

from flux.runtime.brisk import BRISK, look
from flux.runtime.interrupt import Shield
from flux.runtime.local import CLOSED, LOST, WORTH_ANOTHER_TRY, address, delays, lost, refusal, unreachable
from flux.wire.framing import MAX_MESSAGE, Unpacker, pack
from flux.wire.message import BadMessage, Message

CHUNK = 1 << 16
"""Bytes asked for in one read; twice as much costs ten times more, as malloc then maps pages for each."""


def wall() -> float:
    """Seconds since 1970."""
    return time()


class Deadline:
    """A time by which something has to be done; None or less than 0 is never."""

    __slots__ = ("_when",)

    def __init__(self, seconds: float | None) -> None:
        self._when = None if seconds is None or seconds < 0 else monotonic() + seconds

    def left(self) -> float | None:
        """Seconds that are left, 0 when it is past, None without a deadline."""
        return None if self._when is None else max(0.0, self._when - monotonic())


class Connection:
    """A connected socket that carries messages. What was received is never lost, also when Ctrl-C ends a wait."""

    def __init__(self, sock: Socket, limit: int = MAX_MESSAGE) -> None:
        self._sock = sock
        self._unpacker = Unpacker(limit)
        self._chunks: list[bytes] = []
        self._out: list[bytes | memoryview] = []
        """What is to be sent; of a message that has been sent in part, a view of the rest."""
        self._sent: list[int] = []
        self._poll = poll()
        self._ahead = poll()
        self._ahead.register(sock.fileno(), POLLIN)
        self._brisk = True
        self._shield = Shield()

    def __del__(self) -> None:
        self._sock.close()

    def fileno(self) -> int:
        """The descriptor to wait on; -1 once it is closed."""
        return self._sock.fileno()

    def close(self) -> None:
        """Ends the connection."""
        self._sock.close()

    @property
    def pending(self) -> bool:
        """Whether there is something to do without waiting: bytes that were read, or that are to be sent."""
        return bool(self._chunks or self._out)

    def queue(self, msg: Message) -> None:
        """Sends a message together with what follows, on the next `flush` or `receive`."""
        self._out.append(pack(msg))

    def send(self, msg: Message) -> None:
        """Sends a message now."""
        self._out.append(pack(msg))
        self.flush()

    def flush(self) -> None:
        """Sends what is queued. Reads meanwhile: a broker that cannot answer does not read either."""
        if self._write():
            return
        with self._shield:
            while not self._write():
                self._wait(POLLIN | POLLOUT, None)
                self._read(MSG_DONTWAIT)

    def receive(self, take: Callable[[Message], None], timeout: float | None = None) -> None:
        """Waits for bytes, at most `timeout` seconds, and hands the messages that are complete to `take`."""
        if self._out:
            self.flush()
        with self._shield:
            if not self._chunks:
                if timeout is not None and timeout <= 0:
                    self._read(MSG_DONTWAIT)
                else:
                    self._await(timeout)
            self._unpack(take)

    def _await(self, timeout: float | None) -> None:
        """Reads what comes within `timeout` seconds; looks for a moment first where the last wait was short."""
        began = perf_counter()
        if self._brisk:
            look(self._here)
        if timeout is None:
            self._read(0)
        elif self._wait(POLLIN, timeout):
            self._read(MSG_DONTWAIT)
        self._brisk = perf_counter() - began < BRISK

    def _here(self) -> bool:
        return bool(self._ahead.poll(0))

    def _wait(self, events: int, timeout: float | None) -> bool:
        self._poll.register(self._sock.fileno(), events)
        self._shield.wait()
        try:
            return bool(self._poll.poll(None if timeout is None else timeout * 1000))
        finally:
            self._shield.waited()

    def _read(self, flags: int) -> None:
        """Reads what is there. One C call takes the bytes from the kernel to the list: no signal comes between."""
        self._shield.wait()
        try:
            self._chunks.extend(map(self._sock.recv, (CHUNK,), (flags,)))
        except BlockingIOError:
            pass
        except OSError:
            self._chunks.append(b"")
        finally:
            self._shield.waited()

    def _write(self) -> bool:
        """Sends what the kernel takes; says whether that was all. As in `_read`, no signal comes between."""
        self._settle()
        if not self._out:
            return True
        if len(self._out) > 1 and isinstance(self._out[0], bytes):
            self._out = [b"".join(self._out)]
        try:
            self._sent.extend(map(self._sock.send, self._out[:1], (MSG_DONTWAIT,)))
        except BlockingIOError:
            return False
        except OSError:
            self._out = []
            raise self._ended() from None
        self._settle()
        return not self._out

    def _settle(self) -> None:
        """Drops what was sent."""
        if self._sent:
            rest = memoryview(self._out[0])[self._sent[0] :]
            self._out, self._sent = [rest, *self._out[1:]] if rest else self._out[1:], []

    def _ended(self) -> OSError:
        return lost(LOST if self.fileno() >= 0 else CLOSED)

    def _unpack(self, take: Callable[[Message], None]) -> None:
        if self._chunks and not self._chunks[0]:
            raise self._ended()
        while self._chunks and self._chunks[0]:
            try:
                messages = self._unpacker.feed(self._chunks.pop(0))
            except BadMessage as error:
                self._chunks = [b""]
                raise OSError(EPROTO, f"the broker sent what is not a message: {error}") from None
            for msg in messages:
                take(msg)


def connect(url: str | None = None) -> Connection:
    """Connects to a broker, trying again for a moment when it is not there (a session that is starting)."""
    path = address(url)
    sock = Socket(AF_UNIX, SOCK_STREAM)
    try:
        _connect(sock, path)
        refused = refusal(sock.recv(1), path)
    except OSError as error:
        sock.close()
        raise unreachable(error, path) from None
    if refused is not None:
        sock.close()
        raise refused
    return Connection(sock)


def _connect(sock: Socket, path: str) -> None:
    for delay in delays():
        try:
            return sock.connect(path)
        except OSError as error:
            if error.errno not in WORTH_ANOTHER_TRY:
                raise
        sleep(delay)
    sock.connect(path)
