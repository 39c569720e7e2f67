"""`flux run` in real sessions of fifteen that lose inner brokers, to death and to sleep."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import Any

import pytest

import flux
from tests.broker.test_failures import members
from tests.broker.test_healing import ALL, FAST, online, pids, without
from tests.session import FLUX, Session
from tests.session import session as new_session

COUNT = 150
SCRIPT = f"i=0; while [ $i -lt {COUNT} ]; do echo $i; i=$((i+1)); sleep 0.01; done"
COUNTED = "".join(f"{n}\n" for n in range(COUNT))


@pytest.fixture
def fifteen() -> Iterator[Session]:
    """A session of 15 brokers in a tree of twos whose heart beats fast; all are there."""
    with new_session(15, *FAST, "-Swreck.patience=3s") as running, online(running):
        yield running


@pytest.mark.parametrize(("leader", "victims"), [(0, (1,)), (11, (1,)), (11, (2, 5)), (0, (3, 1))])
def test_a_job_on_the_leaves_does_not_notice(fifteen: Session, leader: int, victims: tuple[int, ...]) -> None:
    doomed = pids(fifteen, *victims)
    said: dict[str, str] = {}
    told: list[dict[str, Any]] = []
    job = {"command": ["sh", "-c", SCRIPT], "environment": dict(os.environ), "ntasks": 8, "ranks": "7-14"}
    with flux.Flux(fifteen.uri.replace("local-0", f"local-{leader}")) as handle:
        for answer in handle.stream("wreck.run", job):
            if answer["type"] != "output":
                told.append(answer)
                continue
            piece = answer["data"]["io"]
            said[piece["rank"]] = said.get(piece["rank"], "") + piece.get("data", "")
            if len(said) == 8:  # all of them talk
                while doomed:
                    os.kill(doomed.pop(), signal.SIGKILL)
    assert [answer["type"] for answer in told] == ["accept", "start", "add-credit", "exited", "finish"]
    assert told[-1]["data"] == {"status": 0, "exits": {"0": "0-7"}}
    assert said == {str(task): COUNTED for task in range(8)}


class Cats:
    """`flux run -N15 -l cat`: each line that is fed comes back from every task that lives."""

    def __init__(self, process: "Popen[str]") -> None:
        self.process = process
        self.lines: dict[str, list[str]] = {str(task): [] for task in range(15)}

    def feed(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self, line: str, *tasks: int) -> None:
        """Reads until these tasks have said that."""
        while any(line not in self.lines[str(task)] for task in tasks):
            self._read()

    def end(self) -> tuple[int, str]:
        """No more input: the exit code, and stderr."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        while self._read():
            pass
        return self.process.wait(), self.process.stderr.read()

    def _read(self) -> bool:
        assert self.process.stdout is not None
        task, _, said = self.process.stdout.readline().rstrip("\n").partition(": ")
        if task:
            self.lines[task].append(said)
        return bool(task)


@contextmanager
def cats(session: Session) -> Iterator[Cats]:
    """Cats on all ranks, all of which have said something."""
    env = os.environ | {"FLUX_URI": session.uri}
    words = [FLUX, "run", "-N15", "-l", "cat"]
    with Popen(words, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True, env=env) as process:
        made = Cats(process)
        made.feed("first")
        made.hear("first", *range(15))
        yield made


def test_a_lost_rank_is_named_and_the_others_go_on(fifteen: Session) -> None:
    with cats(fifteen) as job:
        os.kill(pids(fifteen, 1)[0], signal.SIGKILL)
        job.feed("second")
        job.hear("second", 0, *range(2, 15))
        code, err = job.end()
    assert code == 137
    lost, killed = err.splitlines()
    assert re.search(r"type=node-lost severity=2 rank 1 \(.*\): lost, and with it task 1$", lost)
    assert killed == "flux-run: task(s) Killed"
    assert job.lines == {str(task): ["first", "second"][: 1 if task == 1 else 2] for task in range(15)}


def test_tasks_on_a_broker_that_sleeps_are_heard_when_it_wakes(fifteen: Session) -> None:
    (pid,) = pids(fifteen, 1)
    with cats(fifteen) as job, online(fifteen) as watching:
        os.kill(pid, signal.SIGSTOP)
        try:
            job.feed("second")
            members(watching, str(without(1)))
            job.hear("second", 0, *range(2, 15))
        finally:
            os.kill(pid, signal.SIGCONT)
        members(watching, ALL)
        job.feed("third")
        assert job.end() == (0, "")
    assert job.lines == {str(task): ["first", "second", "third"] for task in range(15)}
