"""Real sessions in which something goes wrong: who dies, who sends garbage. What holds is followed by streams."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from errno import ECONNABORTED, EHOSTUNREACH, ENOENT
from select import POLLIN, poll
from typing import Any

import pytest
import zmq

from flux.base.idset import IDset
from flux.wire.message import STREAMING, Response
from tests.broker.raw import LONGEST, RawClient
from tests.session import Session
from tests.session import session as new_session


@pytest.fixture(scope="module")
def local() -> Iterator[Session]:
    """A session on ipc that the tests share which do it no harm."""
    with new_session(3, "-Stbon.topo=kary:1") as running:
        yield running


@pytest.fixture(scope="module")
def wide() -> Iterator[Session]:
    """A session as over several hosts."""
    with new_session(3, "-Stbon.topo=kary:1", "-Stbon.prefertcp=1") as running:
        yield running


def attribute(session: Session, name: str, rank: int = 0) -> str:
    with RawClient(session.uri, rank) as client:
        return str(client.rpc("attr.get", {"name": name}).body()["value"])


def members(client: RawClient, until: str) -> list[str]:
    """What a groups.get stream says until it says that."""
    said: list[str] = []
    while said[-1:] != [until]:
        said.append(client.next().body()["members"])
    return said


def logged(session: Session, what: str, rank: int = 0) -> str:
    """Waits until the log of a rank has a line with that."""
    with RawClient(session.uri, rank) as client:
        client.ask("log.dmesg", {"follow": True}, flags=STREAMING)
        while True:
            line = (client.next().payload() or b"").decode()
            if what in line:
                return line


def ended(pid: int) -> bool:
    """Waits until a process has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    waiting = poll()
    waiting.register(fd, POLLIN)
    done = bool(waiting.poll(LONGEST * 1000))
    os.close(fd)
    return done


def unharmed(session: Session, ranks: Iterable[int]) -> None:
    """Everybody answers everybody."""
    for rank in ranks:
        with RawClient(session.uri, rank) as client:
            for other in ranks:
                assert client.rpc("broker.ping", {}, nodeid=other).body()["rank"] == other


# -- sudden death -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", [1, 2, 3])
def test_a_broker_that_is_killed_is_missed_and_its_askers_are_answered(victim: int) -> None:
    with new_session(4, "-Stbon.topo=kary:1") as session, RawClient(session.uri) as online:
        online.ask("groups.get", {"name": "broker.online"}, flags=STREAMING)
        members(online, "0-3")
        with RawClient(session.uri) as asker, RawClient(session.uri) as waiter:
            waiter.ask("barrier.enter", {"name": "b", "nprocs": 99})
            for rank in range(1, 4):
                asker.ask("barrier.enter", {"name": "b", "nprocs": 99}, tag=rank, nodeid=rank)
            for rank in range(1, 4):  # so that all of them have entered
                assert asker.rpc("barrier.ping", {}, tag=10 + rank, nodeid=rank).errnum == 0
            pid = int(attribute(session, "broker.pid", victim))
            os.kill(pid, signal.SIGKILL)
            answers = [asker.next() for _ in range(3)]
            told = {answer.matchtag: answer.errnum for answer in answers}
            assert told == {rank: ECONNABORTED if rank < victim else EHOSTUNREACH for rank in range(1, 4)}
            assert waiter.next().errnum == ECONNABORTED
            assert asker.rpc("broker.ping", {}, tag=20, nodeid=victim).errnum == EHOSTUNREACH
        members(online, str(IDset({0, 1, 2, 3} - {victim})))
        unharmed(session, {0, 1, 2, 3} - {victim})


def test_a_broker_that_is_told_to_leave_hands_those_below_it_to_its_parent() -> None:
    with new_session(4, "-Stbon.topo=kary:1") as session, RawClient(session.uri) as online:
        online.ask("groups.get", {"name": "broker.online"}, flags=STREAMING)
        members(online, "0-3")
        pid = int(attribute(session, "broker.pid", 2))
        os.kill(pid, signal.SIGTERM)
        members(online, "0-1,3")
        assert ended(pid)
        unharmed(session, {0, 1, 3})


# -- clients ----------------------------------------------------------------------------------------------------------

BUSY = """
import flux
h = flux.Flux()
command = {"cmdline": ["sh", "-c", "echo $$; exec sleep 1000"], "env": {}, "cwd": "/", "opts": {}, "channels": []}
h.rpc("groups.join", {"name": "busy"}).get()
h.event_subscribe("sim.")
h.service_register("busy").get()
waiting = [
    h.rpc("barrier.enter", {"name": "busy", "nprocs": 3}),
    h.rpc("kvs.wait-version", {"rootseq": 10**6, "namespace": "primary"}),
]
for rank in range(3):
    running = h.stream("rexec.exec", {"cmd": command, "flags": 3}, nodeid=rank)
    waiting.append(running)
    for answer in running:
        if answer["type"] == "output":
            print(answer["io"]["data"].strip(), flush=True)
            break
print("ready", flush=True)
waiting[0].get()  # for ever
"""


def test_a_client_that_is_killed_leaves_nothing_behind(local: Session) -> None:
    with (
        RawClient(local.uri) as watcher,
        RawClient(local.uri, 1) as neighbour,
        subprocess.Popen(
            [sys.executable, "-c", BUSY], env=os.environ | {"FLUX_URI": local.uri}, stdout=subprocess.PIPE, text=True
        ) as busy,
    ):
        watcher.ask("groups.get", {"name": "busy"}, flags=STREAMING)
        assert busy.stdout is not None
        *pids, ready = (busy.stdout.readline().strip() for _ in range(4))
        assert ready == "ready"
        members(watcher, "0")
        neighbour.ask("busy.ask", {}, nodeid=0)
        neighbour.ask("barrier.enter", {"name": "busy", "nprocs": 3}, tag=2)
        assert neighbour.rpc("broker.ping", {}, tag=3, nodeid=0).errnum == 0  # so that both are there
        busy.kill()
        assert members(watcher, "") == [""]
        assert {neighbour.next().errnum, neighbour.next().errnum} == {EHOSTUNREACH, ECONNABORTED}
        assert all(ended(int(pid)) for pid in pids)
        figures = watcher.rpc("kvs.stats-get", {}, nodeid=0).body()
        assert figures["namespace"]["primary"]["#versionwaiters"] == 0
    unharmed(local, range(3))


def test_a_hundred_clients_that_come_at_once_are_served(local: Session) -> None:
    clients = [RawClient(local.uri, n % 3) for n in range(100)]
    for client in clients:
        with client:
            assert client.rpc("broker.ping", {}).errnum == 0


def test_large_requests_and_answers_pass_through_the_whole_tree(local: Session) -> None:
    large = "x" * 5_000_000
    with RawClient(local.uri, 2) as client:
        for nodeid in (2, 0):
            answer = client.rpc("broker.ping", {"pad": large}, nodeid=nodeid)
            assert isinstance(answer, Response) and answer.body()["pad"] == large


# -- garbage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(range(256)) * 40, b"\x12\x00\xee\xff" + b"\xff" * 99]
)
def test_garbage_on_the_local_socket_ends_that_connection_alone(local: Session, garbage: bytes) -> None:
    with RawClient(local.uri, 1) as other, RawClient(local.uri, 1) as client:
        client.socket.sendall(garbage)
        with pytest.raises((EOFError, ConnectionResetError)):
            client.next()
        assert other.rpc("broker.ping", {}).errnum == 0
    unharmed(local, range(3))


def shout(session: Session, port: str, garbage: bytes) -> None:
    """Sends something to an overlay port of rank 0, and hangs up."""
    endpoint = attribute(session, "tbon.endpoint").replace("tbon-0", f"{port}-0")
    if endpoint.startswith("tcp://"):
        host, _, number = endpoint.removeprefix("tcp://").rpartition(":")
        made = socket.create_connection((host, int(number)))
    else:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.connect(endpoint.removeprefix("ipc://"))
    with made:
        made.sendall(garbage)


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n" + b"\0" * 100, b"\xff" * 500, b"\0" * 5000, b""])
@pytest.mark.parametrize("port", ["tbon", "event"])
def test_garbage_on_an_overlay_port_is_logged_and_does_no_harm(local: Session, port: str, garbage: bytes) -> None:
    with RawClient(local.uri) as client:
        client.rpc("log.clear", {})
    shout(local, port, garbage)
    assert "connected to an overlay port" in logged(local, "overlay")
    unharmed(local, range(3))


def test_garbage_on_an_overlay_port_of_several_hosts_is_logged_and_does_no_harm(wide: Session) -> None:
    shout(wide, "tbon", b"GET / HTTP/1.1\r\n\r\n" + b"\0" * 100)
    assert "connected to an overlay port" in logged(wide, "overlay")
    unharmed(wide, range(3))


# -- several hosts ----------------------------------------------------------------------------------------------------


def test_a_session_over_tcp_is_a_session(wide: Session) -> None:
    assert attribute(wide, "tbon.endpoint").startswith("tcp://")
    assert attribute(wide, "tbon.parent-endpoint", 2).startswith("tcp://")
    unharmed(wide, range(3))
    with RawClient(wide.uri, 2) as client:
        op = {"key": "a", "flags": 0, "dirent": {"data": "MQ==", "type": "val", "ver": 1}}
        assert client.rpc("kvs.commit", {"ops": [op], "namespace": "primary", "flags": 0}).errnum == 0
        answer = client.rpc("kvs.lookup", {"key": "b", "namespace": "primary", "flags": 0})
        assert answer.errnum == ENOENT


def test_who_has_no_key_of_the_session_does_not_get_in(wide: Session) -> None:
    with RawClient(wide.uri) as client:
        client.rpc("log.clear", {})
    with zmq.Context() as context, context.socket(zmq.DEALER) as stranger:
        stranger.setsockopt(zmq.LINGER, 0)
        stranger.setsockopt(zmq.ROUTING_ID, b"stranger")
        stranger.connect(attribute(wide, "tbon.endpoint"))
        stranger.send(b"let me in")
        assert "has no key of ours" in logged(wide, "overlay")
        assert not stranger.poll(0)
    unharmed(wide, range(3))


@pytest.mark.parametrize(
    ("topo", "children"), [("kary:0", [1, 2, 3, 4]), ("kary:1", [1]), ("kary:2", [1, 2]), ("kary:32", [1, 2, 3, 4])]
)
def test_the_tree_has_the_shape_that_was_asked_for(topo: str, children: list[int]) -> None:
    with new_session(5, f"-Stbon.topo={topo}") as session, RawClient(session.uri) as client:
        shown: Any = client.rpc("overlay.topology", {"rank": 0}).body()
        assert [child["rank"] for child in shown["children"]] == children
        assert attribute(session, "tbon.topo", 4) == topo
        unharmed(session, range(5))
