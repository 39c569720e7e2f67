"""Real sessions that lose inner brokers, to death and to sleep: the others stay, and are reached."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from flux.base.idset import IDset
from flux.wire.message import STREAMING
from tests.broker.raw import RawClient
from tests.broker.test_failures import attribute, ended, logged, members, unharmed
from tests.session import Session
from tests.session import session as new_session

FAST = ("-Stbon.topo=kary:2", "-Sheartbeat.period=0.1s")
ALL = "0-14"


@pytest.fixture(params=["ipc", "tcp"])
def fifteen(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session of 15 brokers in a tree of twos whose heart beats fast; all are there."""
    more = ("-Stbon.prefertcp=1",) if request.param == "tcp" else ()
    with new_session(15, *FAST, *more) as running:
        yield running


@contextmanager
def online(session: Session) -> Iterator[RawClient]:
    """Follows who is there."""
    with RawClient(session.uri) as client:
        client.ask("groups.get", {"name": "broker.online"}, flags=STREAMING)
        members(client, ALL)
        yield client


def pids(session: Session, *ranks: int) -> list[int]:
    return [int(attribute(session, "broker.pid", rank)) for rank in ranks]


def without(*ranks: int) -> IDset:
    return IDset(set(range(15)) - set(ranks))


@pytest.mark.parametrize("victims", [(1,), (1, 3), (2, 1), (5, 2)])
def test_those_below_dead_brokers_go_on_below_others(fifteen: Session, victims: tuple[int, ...]) -> None:
    with online(fifteen) as watching:
        for pid in pids(fifteen, *victims):
            os.kill(pid, signal.SIGKILL)
        members(watching, str(without(*victims)))
        unharmed(fifteen, without(*victims))


def test_a_broker_that_sleeps_is_left_and_is_taken_back_when_it_wakes(fifteen: Session) -> None:
    (pid,) = pids(fifteen, 1)
    with online(fifteen) as watching:
        os.kill(pid, signal.SIGSTOP)
        try:
            members(watching, str(without(1)))
            unharmed(fifteen, without(1))
        finally:
            os.kill(pid, signal.SIGCONT)
        members(watching, ALL)
        unharmed(fifteen, range(15))
    assert "transitioning 1 from slow to fail" in logged(fifteen, "transitioning 1 from slow to fail")


def test_a_broker_that_leaves_hands_on_those_below_it(fifteen: Session) -> None:
    (pid,) = pids(fifteen, 2)
    with online(fifteen) as watching:
        os.kill(pid, signal.SIGTERM)
        members(watching, str(without(2)))
        assert ended(pid)
        unharmed(fifteen, without(2))


def test_without_rank_0_everybody_ends() -> None:
    with pytest.raises(AssertionError), new_session(7, *FAST) as session:  # which does not end well
        brokers = pids(session, *range(7))
        os.kill(brokers[0], signal.SIGKILL)
        assert all(ended(pid) for pid in brokers)
