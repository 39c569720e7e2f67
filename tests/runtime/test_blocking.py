"""A connection that blocks: how it is made, how it ends, what survives an interruption."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from errno import ECONNRESET, EINVAL, ENOENT, EPERM, EPROTO
from pathlib import Path

import pytest

from flux.runtime.blocking import Connection, Deadline, connect
from flux.runtime.local import address
from flux.testing.echo import EchoThread
from flux.wire.framing import pack
from flux.wire.message import Message, Request, Response


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[EchoThread]:
    with EchoThread(str(tmp_path / "local")) as thread:
        yield thread


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    ours, theirs = socket.socketpair()
    connection = Connection(ours)
    with theirs:
        yield connection, theirs
    connection.close()


def received(connection: Connection, timeout: float | None = None) -> list[Message]:
    messages: list[Message] = []
    connection.receive(messages.append, timeout)
    return messages


# -- where to ---------------------------------------------------------------------------------------------------------


def test_without_a_url_the_environment_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_URI", "local:///run/x/local-0")
    assert address(None) == "/run/x/local-0"
    assert address("local:///elsewhere") == "/elsewhere"


def test_no_session_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLUX_URI", raising=False)
    monkeypatch.setattr("flux.runtime.local.SYSTEM_SOCKET", "/nonexistent/local")
    with pytest.raises(FileNotFoundError) as refused:
        connect()
    text = str(refused.value)
    assert "FLUX_URI is not set" in text
    assert "flux start" in text
    assert "\n" not in text


@pytest.mark.parametrize("url", ["bogus", "tcp://1.2.3.4", "local://", "/"])
def test_a_url_of_another_form_is_named(url: str) -> None:
    with pytest.raises(OSError, match=url) as refused:
        address(url)
    assert refused.value.errno == EINVAL


def test_a_dead_socket_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_LOCAL_CONNECTOR_RETRY_COUNT", "0")
    path = str(tmp_path / "local-0")
    with pytest.raises(FileNotFoundError, match=path):
        connect(f"local://{path}")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    with pytest.raises(ConnectionRefusedError, match=path):
        connect(f"local://{path}")


def test_a_path_that_no_socket_can_have_is_named() -> None:
    with pytest.raises(OSError, match="too long") as refused:
        connect("local:///" + "x" * 200)
    assert refused.value.errno == EINVAL


def test_a_retry_count_that_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_LOCAL_CONNECTOR_RETRY_COUNT", "many")
    with pytest.raises(OSError, match="RETRY_COUNT"):
        connect("local:///nonexistent/local")


def test_a_socket_that_appears_late_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, waits, listener = str(tmp_path / "local"), list[float](), socket.socket(socket.AF_UNIX)

    def welcome() -> None:
        peer, _ = listener.accept()
        peer.send(b"\0")
        peer.close()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            listener.bind(path)
            listener.listen()
            thread.start()

    thread = threading.Thread(target=welcome)
    monkeypatch.setattr("flux.runtime.blocking.sleep", sleep)
    connect(f"local://{path}").close()
    thread.join()
    listener.close()
    assert waits == [0.016, 0.032, 0.064]


def test_a_broker_may_refuse(echo: EchoThread) -> None:
    echo.broker.refuse_with = EPERM
    with pytest.raises(PermissionError, match="local: Operation not permitted"):
        connect(echo.uri)


# -- messages ---------------------------------------------------------------------------------------------------------


def test_messages_come_whole_however_their_bytes_come(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    data = pack(Response(topic="a.b", matchtag=1)) + pack(Response(topic="c.d", matchtag=2))
    messages = list[Message]()
    for byte in data:
        peer.send(bytes((byte,)))
        messages += received(connection)
    assert [msg.matchtag for msg in messages if isinstance(msg, Response)] == [1, 2]


def test_a_wait_may_have_an_end(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    assert received(connection, 0) == []
    assert received(connection, 0.001) == []
    peer.send(pack(Response(topic="a.b")))
    assert received(connection, 5) == [Response(topic="a.b")]


def test_what_came_before_the_end_is_received_before_the_end_is_reported(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, peer = pair
    peer.send(pack(Response(topic="a.b")))
    peer.close()
    assert received(connection) == [Response(topic="a.b")]
    for _ in range(2):
        with pytest.raises(ConnectionResetError, match="lost connection to the broker"):
            received(connection)


def test_sending_to_nobody_is_a_lost_connection(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    peer.close()
    with pytest.raises(OSError, match="lost connection to the broker") as refused:
        connection.send(Request(topic="a.b"))
    assert refused.value.errno == ECONNRESET


def test_a_broker_that_sends_garbage_is_not_believed(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    peer.send(b"HTTP/1.1 400 Bad Request\r\n")
    with pytest.raises(OSError, match="not a message") as refused:
        received(connection)
    assert refused.value.errno == EPROTO
    with pytest.raises(ConnectionResetError):
        received(connection)


def test_what_is_queued_leaves_in_one_piece(pair: tuple[Connection, socket.socket]) -> None:
    connection, peer = pair
    for _ in range(3):
        connection.queue(Request(topic="a.b"))
    connection.flush()
    assert peer.recv(10_000) == 3 * pack(Request(topic="a.b"))
    assert not connection.pending


def test_a_great_message_passes_a_small_socket(echo: EchoThread) -> None:
    connection = connect(echo.uri)
    data = os.urandom(8 << 20)
    connection.send(Request(topic="echo.x", data=data, matchtag=1))
    messages = list[Message]()
    while not messages:
        connection.receive(messages.append)
    assert isinstance(messages[0], Response)
    assert messages[0].data == data
    connection.close()


def test_a_thousand_requests_without_reading_do_not_deadlock(echo: EchoThread) -> None:
    connection = connect(echo.uri)
    for tag in range(1, 1001):
        connection.send(Request(topic="echo.x", data=bytes(10_000), matchtag=tag))
    tags = list[int]()
    while len(tags) < 1000:
        connection.receive(lambda msg: tags.append(msg.matchtag if isinstance(msg, Response) else 0))
    assert tags == list(range(1, 1001))
    connection.close()


# -- interruptions ----------------------------------------------------------------------------------------------------


def pressing_ctrl_c(request: Request) -> None:
    """Presses Ctrl-C before it answers."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def test_ctrl_c_ends_a_wait_and_loses_nothing(echo: EchoThread) -> None:
    echo.broker.answers["echo.interrupt"] = pressing_ctrl_c
    connection, messages, interrupted = connect(echo.uri), list[Message](), 0
    for tag in range(1, 201):
        try:
            connection.send(Request(topic="echo.interrupt", matchtag=tag))
            while len(messages) < tag:
                connection.receive(messages.append)
            pytest.fail("the signal came before the answer")
        except KeyboardInterrupt:
            interrupted += 1
        while len(messages) < tag:
            connection.receive(messages.append)
    assert interrupted == 200
    assert [msg.matchtag for msg in messages if isinstance(msg, Response)] == list(range(1, 201))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    connection.close()


def test_a_handler_of_the_programs_own_is_left_alone(echo: EchoThread) -> None:
    pressed = list[int]()
    echo.broker.answers["echo.interrupt"] = pressing_ctrl_c
    before = signal.signal(signal.SIGINT, lambda signum, frame: pressed.append(signum))
    try:
        connection = connect(echo.uri)
        connection.send(Request(topic="echo.interrupt", matchtag=1))
        while not received(connection):
            pass
        connection.close()
    finally:
        signal.signal(signal.SIGINT, before)
    assert pressed == [signal.SIGINT]


def test_a_deadline_counts_down_to_zero() -> None:
    assert Deadline(None).left() is None
    assert Deadline(-1).left() is None
    assert Deadline(0).left() == 0
    left = Deadline(1000).left()
    assert left is not None
    assert 0 < left <= 1000


def test_enoent_is_what_no_session_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLUX_URI", "")
    monkeypatch.setattr("flux.runtime.local.SYSTEM_SOCKET", "/nonexistent/local")
    with pytest.raises(OSError) as refused:
        address(None)
    assert refused.value.errno == ENOENT
