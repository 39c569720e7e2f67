"""`flux ping` in a session."""

import re

import pytest

from tests.session import Session

HOP = "[0-9a-f]{8}"


@pytest.mark.parametrize(
    ("words", "title", "service"),
    [
        (["3"], "3!broker", "3!broker"),
        (["2!kvs"], "2!kvs", "2!kvs"),
        (["--rank", "2", "kvs"], "2!kvs", "2!kvs"),
        (["kvs"], "any!kvs", "0!kvs"),
        (["any"], "any!broker", "0!broker"),
        (["any!kvs"], "any!kvs", "0!kvs"),
    ],
)
def test_a_target_is_a_rank_a_service_or_both(session: Session, words: list[str], title: str, service: str) -> None:
    done = session.flux("ping", "--count", "1", *words)
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first == f"flux-ping {title}"
    assert re.fullmatch(rf"{service}\.ping pad=0 seq=0 time=\d+\.\d{{3}} ms \(({HOP}!)+{HOP}\)", second)


def test_a_request_goes_round_the_ring_from_rank_to_rank(session: Session) -> None:
    done = session.flux("ping", "--ring", "-c1", "3")
    route = re.search(r"\((.*)\)", done.out)
    assert done.code == 0 and route is not None
    assert len(route[1].split("!")) == 5  # the client, ranks 0, 1 and 2 on the way, and rank 3
    assert session.flux("ping", "--ring", "-c1", "17").err == "flux-ping: 17!broker.ping: No route to host\n"
    assert session.flux("ping", "--ring", "-c1", "kvs").err == "flux-ping: kvs: --ring goes to a rank\n"
    assert session.flux("ping", "--ring", "-c1", "-r", "0-3", "kvs").err == "flux-ping: 0-3: --ring goes to one rank\n"


def test_many_ranks_can_be_said_in_the_target(session: Session) -> None:
    assert session.flux("ping", "-c1", "all!kvs").out.startswith("flux-ping all!kvs\n0-")


def test_a_host_is_a_target(session: Session) -> None:
    host = session.flux("getattr", "hostlist").out.split(",")[0].strip()
    assert session.flux("ping", "-c1", f"{host}!kvs").out.startswith(f"flux-ping {host}!kvs (rank 0)\n0!kvs.ping ")


def test_requests_are_numbered_and_padded(session: Session) -> None:
    done = session.flux("ping", "-c", "3", "-i", "1ms", "-p", "1k", "1")
    assert re.findall(r"pad=(\d+) seq=(\d+)", done.out) == [("1024", "0"), ("1024", "1"), ("1024", "2")]


@pytest.mark.parametrize("batch", [["--batch"], []])
def test_many_at_once(session: Session, batch: list[str]) -> None:
    done = session.flux("ping", "-c", "200", "-i", "0", *batch, "3")
    assert re.findall(r"seq=(\d+)", done.out) == [str(seq) for seq in range(200)]


def test_it_shows_who_is_asking(session: Session) -> None:
    assert re.search(r"pad=0 userid=\d+ rolemask=0x[0-9a-f]+ seq=0", session.flux("ping", "-c1", "-u", "0").out)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nosuch"], "nosuch.ping: No service matching nosuch.ping is registered"),
        (["17"], "17!broker.ping: No route to host"),
        (["17!kvs"], "17!kvs.ping: No route to host"),
        (["nohost!kvs"], "invalid nodeid/host: 'nohost'"),
        (["-r", "-1", "kvs"], "invalid nodeid/host: '-1'"),
        (["upstream"], "upstream!broker.ping: No route to host"),
    ],
)
def test_what_does_not_answer_is_named(session: Session, words: list[str], complaint: str) -> None:
    done = session.flux("ping", *words)
    assert (done.code, done.err) == (1, f"flux-ping: {complaint}\n")


def test_control_c_ends_it(session: Session) -> None:
    with session.popen("ping", "0") as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(2)
        _, err = running.communicate()
    assert (running.returncode, err) == (130, "")


def test_many_ranks_are_asked_by_one_request(session: Session) -> None:
    done = session.flux("ping", "-r", "all", "-c", "2", "-i", "0", "-p", "10", "kvs")
    assert (done.code, done.err) == (0, "")
    first, *lines = done.out.splitlines()
    assert first == "flux-ping all!kvs"
    times = r"time=\(\d+\.\d{3}:\d+\.\d{3}:\d+\.\d{3}\) ms stddev \d+\.\d{3}"
    for seq, line in enumerate(lines):
        assert re.fullmatch(rf"0-3!kvs\.ping pad=10 seq={seq} {times}", line)
    assert len(lines) == 2


def test_ranks_that_do_not_answer_are_named(session: Session) -> None:
    done = session.flux("ping", "-r", "0-2", "-c", "1", "seq")
    assert done.code == 1
    assert done.out.splitlines()[1].startswith("0!seq.ping ")
    assert done.err == "flux-ping: 1-2!seq.ping: No service matching seq.ping is registered\n"
    assert session.flux("ping", "-r", "0-9", "kvs").err == "flux-ping: ranks 0-9: this instance has ranks 0-3 only\n"
