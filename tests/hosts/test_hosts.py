"""Sessions across hosts, which are network namespaces: TCP with CURVE, cables that are pulled, brokers that return."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flux.wire.message import STREAMING
from tests.broker.raw import RawClient
from tests.broker.test_failures import logged, members, unharmed
from tests.hosts.hosts import Brokers, Host, configuration, finish, hosts, impossible, session_by_pmi
from tests.hosts.hosts import session as new_session
from tests.session import FLUX, Session

WHY_NOT = impossible()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

PARENTS = {2: 1, 3: 1}
"""Rank 1 is below rank 0, the others below rank 1."""


@pytest.fixture
def four(tmp_path: Path) -> Iterator[tuple[list[Host], Brokers]]:
    """Four hosts with a session."""
    with hosts(4) as made, new_session(made, PARENTS, tmp_path) as brokers:
        yield made, brokers


@contextmanager
def online(session: Session) -> Iterator[RawClient]:
    """Follows who is there, from when all are."""
    with RawClient(session.uri) as client:
        client.ask("groups.get", {"name": "broker.online"}, flags=STREAMING)
        members(client, "0-3")
        yield client


def test_a_host_without_a_default_route_knows_how_others_reach_it() -> None:
    with hosts(1) as made:
        asking = made[0].start(sys.executable, "-c", "from flux.runtime.interfaces import address; print(address())")
        assert asking.communicate()[0] == "10.77.0.1\n"


def test_a_session_spans_hosts(four: tuple[list[Host], Brokers]) -> None:
    _, brokers = four
    session = brokers.session
    with online(session):
        unharmed(session, [0])
    assert session.flux("getattr", "hostlist").out == "node[0-3]\n"
    assert session.flux("getattr", "tbon.endpoint").out == "tcp://10.77.0.1:8050\n"
    assert session.flux("overlay", "parentof", "3").out == "1\n"
    works(session)
    assert set(brokers.end().values()) == {0}


def works(session: Session) -> None:
    """Whatever goes through several of four brokers does: requests, jobs, barriers, the ring, events."""
    assert sorted(session.flux("run", "-n4", "sh", "-c", "echo $FLUX_TASK_RANK").out.split()) == list("0123")
    assert session.flux("exec", "-r", "all", FLUX, "barrier", "--nprocs=4", "everybody") == (0, "", "")
    assert session.flux("ping", "--ring", "-c1", "3").code == 0
    with RawClient(session.uri) as listener:
        assert listener.rpc("event.subscribe", {"topic": "hosts."}).errnum == 0
        assert session.flux("exec", "-r", "3", FLUX, "event", "pub", "hosts.hello").code == 0
        assert listener.next().topic == "hosts.hello"


@pytest.mark.parametrize(
    ("hint", "end"),
    [("default-route", "tcp://10.77.0.3:"), ("eth0", "tcp://10.77.0.3:"), ("fd00:77::/64", "tcp://[fd00:77::3]:")],
)
def test_a_session_that_pmi_boots_spans_hosts_by_the_address_that_the_hint_says(hint: str, end: str) -> None:
    with hosts(4) as made, session_by_pmi(made, "-Stbon.topo=kary:1", f"-Stbon.interface-hint={hint}") as brokers:
        session = brokers.session
        assert session.flux("getattr", "hostlist").out == "node[0-3]\n"
        assert session.flux("overlay", "parentof", "3").out == "2\n"
        with RawClient(session.uri) as client:
            found = client.rpc("attr.get", {"name": "tbon.parent-endpoint"}, nodeid=3).body()["value"]
        assert found.startswith(end)
        works(session)
        assert set(brokers.end().values()) == {0}


def test_a_cable_that_is_pulled_costs_its_host_and_nobody_below_it(four: tuple[list[Host], Brokers]) -> None:
    made, brokers = four
    session = brokers.session
    with online(session) as watching:
        made[1].unplug()
        members(watching, "0,2-3")
        for rank in (2, 3):
            assert session.flux("exec", "-r", str(rank), "flux", "getattr", "rank").out == f"{rank}\n"
        made[1].plug()
        members(watching, "0-3")
        assert session.flux("exec", "-r", "1", "flux", "getattr", "rank").out == "1\n"
    assert set(brokers.end().values()) == {0}


def test_a_broker_that_comes_back_under_its_rank_is_taken_for_the_old_one(four: tuple[list[Host], Brokers]) -> None:
    _, brokers = four
    session = brokers.session
    with online(session) as watching:
        brokers.kill(3)
        members(watching, "0-2")
        brokers.start(3)
        members(watching, "0-3")
        assert session.flux("exec", "-r", "3", "flux", "getattr", "rank").out == "3\n"
    assert set(brokers.end().values()) == {0}


def test_a_broker_that_comes_back_before_anybody_missed_it_is_taken_for_the_old_one(tmp_path: Path) -> None:
    with hosts(4) as made, new_session(made, PARENTS, tmp_path, period="1h") as brokers:
        session = brokers.session
        with online(session) as watching:
            made[3].unplug()
            brokers.kill(3)  # nobody hears of that
            made[3].plug()
            brokers.start(3)
            assert members(watching, "0-2") == ["0-2"]
            members(watching, "0-3")
            assert session.flux("exec", "-r", "3", "flux", "getattr", "rank").out == "3\n"
        assert set(brokers.end().values()) == {0}


def test_a_stranger_with_another_key_is_logged_and_nothing_changes(
    four: tuple[list[Host], Brokers], tmp_path: Path
) -> None:
    made, brokers = four
    session = brokers.session
    other = tmp_path / "other"
    other.mkdir()
    with online(session), new_session_of_one(made, other):
        assert "no key of ours" in logged(session, "no key of ours")
        assert session.flux("up").out == "0-3\n"


@contextmanager
def new_session_of_one(made: list[Host], directory: Path) -> Iterator[None]:
    """A broker of another session, with another certificate, that takes ours for its parent."""
    conf = configuration(made, {}, directory)
    process = made[3].start(FLUX, "broker", "-c", str(conf), "-S", "hostname=node3")
    try:
        yield
    finally:
        finish(process)


def test_slow_and_lossy_cables_are_borne(four: tuple[list[Host], Brokers]) -> None:
    made, brokers = four
    try:
        made[1].delay("delay", "20ms", "5ms", "loss", "2%")
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        pytest.skip(f"tc netem: {getattr(error, 'stderr', b'').decode().strip() or error}")
    session = brokers.session
    with online(session):
        assert session.flux("ping", "-c", "20", "-i", "0", "3").code == 0
        assert session.flux("run", "-n", "4", "true").code == 0
    assert set(brokers.end().values()) == {0}
