"""A broker's own view of PMI-1: who am I, and what do the others say. Blocking, for use before there is a loop."""

import os
from collections.abc import Mapping
from contextlib import suppress
from errno import ECONNRESET, EINVAL, EMSGSIZE, EPROTO
from select import POLLIN, poll
from socket import SHUT_RDWR, create_connection, socket

from flux.wire.message import BadMessage
from flux.wire.pmi import Lines, Refused, answer, int_word, line, words


class Bootstrap:
    """One process among the `size` that were started together. Without PMI in the environment, it is alone."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self.rank, self.size, self.name = 0, 1, ""
        """`name` is the job's name for its key-value space; a Flux job id when Flux started us."""
        self.lifeline = False
        """Whether the server lives as long as this process should: its end of file means `end`."""
        self.told = False
        """Whether all that the others would put was known before they were there: nobody needs to put it."""
        self._pairs: dict[str, str] = {}
        self._lines, self._ready = Lines(), list[bytes]()
        self._value_max = 1024
        self._readable = poll()
        self._sock: socket | None = None
        self._attach(_connect(environ))
        if self._sock is not None:
            try:
                self._greet(environ)
            except BaseException:
                self.close()
                raise

    def fileno(self) -> int:
        """The descriptor of the connection, -1 without one. With `lifeline`, it becomes readable at the end."""
        return self._sock.fileno() if self._sock is not None else -1

    def put(self, key: str, value: str) -> None:
        """Says something to the others, who can read it after the next barrier. No spaces: some servers cut there."""
        if len(value.encode()) >= self._value_max:
            raise OSError(EMSGSIZE, f"PMI: value of {key} has {len(value)} bytes, the server takes {self._value_max}")
        if self._sock is None:
            self._pairs[key] = value
        else:
            self._ask("put", kvsname=self.name, key=key, value=value)

    def get(self, key: str) -> str | None:
        """What was said under that key, by anybody or by the process manager; None for nothing."""
        if self._sock is None:
            return self._pairs.get(key)
        try:
            return self._ask("get", kvsname=self.name, key=key).get("value", "")
        except Refused:
            return None

    def barrier(self) -> None:
        """Waits for all the others to come here."""
        if self._sock is not None:
            self._ask("barrier_in")

    def finalize(self) -> None:
        """Says that nothing more will be asked. The connection stays open: it may be a lifeline."""
        if self._sock is not None:
            self._ask("finalize")

    def abort(self, code: int, text: str = "") -> None:
        """Asks the process manager to end all."""
        if self._sock is not None:
            self._sock.sendall(line("abort", exitcode=code, **({"error_msg": text} if text else {})))

    def close(self) -> None:
        """Ends the connection, also for processes that inherited it."""
        if self._sock is not None:
            with suppress(OSError):
                self._sock.shutdown(SHUT_RDWR)
            self._sock.close()
            self._sock = None

    # -- inside -----------------------------------------------------------------------------------------------------

    def _attach(self, sock: socket | None) -> None:
        self._sock = sock
        if sock is not None:
            self._readable.register(sock, POLLIN)

    def _greet(self, environ: Mapping[str, str]) -> None:
        if "PMI_FD" in environ:
            self.rank, self.size = _number(environ, "PMI_RANK"), _number(environ, "PMI_SIZE")
        else:
            self._introduce(environ.get("PMI_ID", "0"))
        if not 0 <= self.rank < self.size:
            raise OSError(EINVAL, f"PMI_RANK={self.rank} is not a rank of PMI_SIZE={self.size}")
        found = self._ask("init", pmi_version=1, pmi_subversion=1)
        if found.get("pmi_version") != "1":
            raise OSError(EPROTO, f"PMI server speaks version {found.get('pmi_version', 'none')}, not 1")
        self.lifeline = found.get("lifeline") == "1"
        self._value_max = _int(self._ask("get_maxes"), "vallen_max")
        self.name = self._ask("get_my_kvsname").get("kvsname", "")

    def _introduce(self, name: str) -> None:
        """A server at a port does not know yet who calls, and tells what the environment does not."""
        self._send(line("initack", pmiid=name))
        found: dict[str, str] = {}
        for _ in ("initack", "size", "rank", "debug"):
            found |= _words(self._read())
        self.rank, self.size = _int(found, "rank"), _int(found, "size")

    def _ask(self, command: str, **more: object) -> dict[str, str]:
        self._send(line(command, **more))
        raw = self._read()
        try:
            return answer(command, raw)
        except BadMessage as error:
            raise OSError(EPROTO, f"PMI server: {error}") from None

    def _send(self, raw: bytes) -> None:
        assert self._sock is not None
        try:
            self._sock.sendall(raw)
        except OSError as error:
            raise OSError(error.errno, f"PMI server: {error.strerror}") from None

    def _read(self) -> bytes:
        assert self._sock is not None
        while not self._ready:
            try:
                self._readable.poll()  # an event loop that watches the descriptor may have made it non-blocking
                data = self._sock.recv(8192)
                self._ready += self._lines.feed(data)
            except BadMessage as error:
                raise OSError(EPROTO, f"PMI server: {error}") from None
            except OSError as error:
                raise OSError(error.errno, f"PMI server: {error.strerror}") from None
            if not data:
                raise OSError(ECONNRESET, "PMI server closed the connection")
        return self._ready.pop(0)


class Forked(Bootstrap):
    """As a process sees it that the server has forked: it knows from its birth what the server then had to tell."""

    def __init__(self, sock: socket, rank: int, size: int, pairs: Mapping[str, str]) -> None:
        super().__init__({})
        self.rank, self.size, self.lifeline = rank, size, True
        self.told = str(rank) in pairs
        self._known = pairs
        self._attach(sock)

    def get(self, key: str) -> str | None:
        """What is known, or has been said under that key."""
        return self._known[key] if key in self._known else super().get(key)


def _connect(environ: Mapping[str, str]) -> socket | None:
    if "PMI_FD" in environ:
        fd = _number(environ, "PMI_FD")
        try:
            os.set_inheritable(fd, False)
            return socket(fileno=fd)
        except OSError as error:
            raise OSError(error.errno, f"PMI_FD={fd}: {error.strerror}") from None
    if "PMI_PORT" in environ:
        host, _, port = environ["PMI_PORT"].rpartition(":")
        try:
            return create_connection((host, int(port)))
        except (OSError, ValueError, OverflowError) as error:
            raise OSError(EINVAL, f"PMI_PORT={environ['PMI_PORT']}: {error}") from None
    return None


def _words(raw: bytes) -> dict[str, str]:
    try:
        return words(raw)
    except BadMessage as error:
        raise OSError(EPROTO, f"PMI server: {error}") from None


def _int(found: dict[str, str], key: str) -> int:
    try:
        return int_word(found, key)
    except BadMessage as error:
        raise OSError(EPROTO, f"PMI server: {error}") from None


def _number(environ: Mapping[str, str], name: str) -> int:
    if name not in environ:
        raise OSError(EINVAL, f"{name} is not set, though PMI_FD is")
    if not environ[name].isdecimal():
        raise OSError(EINVAL, f"{name}={environ[name]} is not a number")
    return int(environ[name])
