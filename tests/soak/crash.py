"""A real session with a state directory dies by SIGKILL, all of it at once, in the middle of commits; and comes back.

What was acknowledged is there, what was not is there as a whole or not at all, and nothing is damaged.
"""

import os
import signal
import subprocess
from contextlib import suppress
from errno import ENOTSUP
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread

import flux
import flux.kvs
from flux.runtime.linux import descendants
from tests.session import FLUX

ROUNDS, WRITERS = 3, 3
SPACES = {"w2": "mine"}
"""The namespaces of writers, besides the primary one."""
MOST = 500
"""Commits of one writer before the session dies, at most."""
LARGE = 20_000


class Writer(Thread):
    """Commits one number after the other under two keys, and knows which it was told to be there."""

    def __init__(self, uri: str, name: str, last: int, enough: int) -> None:
        super().__init__(daemon=True)
        self.label, self.space, self.done = name, SPACES.get(name), Event()
        self.told = self.tried = last
        self._until = last + enough
        self.version = 0
        self._uri = uri

    def run(self) -> None:
        """Until the session is gone."""
        with suppress(OSError):
            handle = flux.Flux(self._uri)
            if self.space:
                with suppress(FileExistsError):
                    handle.rpc(
                        "kvs.namespace-create", {"namespace": self.space, "owner": os.getuid(), "flags": 0}
                    ).get()
            while True:
                self._commit(handle, self.tried + 1)
                if self.told >= self._until:
                    self.done.set()
        self.done.set()

    def _commit(self, handle: flux.Flux, number: int) -> None:
        self.tried = number
        txn = flux.kvs.KVSTxn(handle, namespace=self.space)
        txn.put(f"{self.label}.one", number)
        txn.put(f"other.{self.label}", str(number) * (LARGE if number % 10 == 0 else 1))
        answer = txn.commit_async().get()
        self.told, self.version = number, 0 if self.space else answer["rootseq"]


class Running:
    """A session whose brokers and everything else can be killed at one instant."""

    def __init__(self, size: int, where: str) -> None:
        words = [FLUX, "start", "--size", str(size), "--statedir", where, "sh", "-c", "echo $FLUX_URI; exec cat"]
        around = {name: value for name, value in os.environ.items() if not name.startswith("FLUX_")}
        around["TMPDIR"] = str(Path(where).parent)  # what is killed leaves its run directory behind
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=around
        )
        assert self.process.stdout is not None
        self.uri = self.process.stdout.readline().strip()

    def kill(self) -> None:
        """Stops all processes, which is the moment of death, then kills them."""
        pids = [self.process.pid]
        os.kill(self.process.pid, signal.SIGSTOP)
        while more := [pid for pid in descendants(self.process.pid) if pid not in pids]:
            for pid in more:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            pids += more
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()

    def end(self) -> None:
        """Ends the session in order."""
        _, said = self.process.communicate()
        assert (self.process.returncode, said) == (0, "")


def play(seed: int) -> None:
    """Lets a session die a few times."""
    random = Random(seed)
    with TemporaryDirectory(prefix="flux-crash-") as where:
        state = str(Path(where) / "state")
        told = dict.fromkeys((f"w{number}" for number in range(WRITERS)), 0)
        version = 0
        for _ in range(ROUNDS):
            told, version = _die(random, state, told, version)
        _look(state, told, version, told)


def _die(random: Random, state: str, told: dict[str, int], version: int) -> tuple[dict[str, int], int]:
    running = Running(random.choice([1, 1, 3]), state)
    enough = random.randrange(1, MOST)
    writers = [Writer(running.uri, name, last, enough) for name, last in told.items()]
    for writer in writers:
        writer.start()
    collector = Thread(target=_collect, args=(running.uri,), daemon=True)
    if random.random() < 0.5:
        collector.start()
    writers[0].done.wait()
    running.kill()
    for writer in writers:
        writer.join()
    version = max(version, *(writer.version for writer in writers))
    tried = {writer.label: writer.tried for writer in writers}
    return _look(state, {writer.label: writer.told for writer in writers}, version, tried)


def _collect(uri: str) -> None:
    """Collects garbage, again and again, until the session is gone."""
    with suppress(OSError):
        handle = flux.Flux(uri)
        while True:
            for _ in handle.stream("content-backing.gc", nodeid=0):
                pass


def _look(state: str, told: dict[str, int], version: int, tried: dict[str, int]) -> tuple[dict[str, int], int]:
    """What a new session on the same directory shows; it begins where that left off."""
    running = Running(1, state)
    handle = flux.Flux(running.uri)
    found = {}
    for name, last in told.items():
        space = SPACES.get(name)
        one = flux.kvs.get(handle, f"{name}.one", space) if last or _is_there(handle, f"{name}.one", space) else 0
        assert last <= one <= tried[name], f"{name}: {one} is there, {last} was acknowledged, {tried[name]} was tried"
        if one:
            other = str(flux.kvs.get(handle, f"other.{name}", space))
            assert other == str(one) * (LARGE if one % 10 == 0 else 1), f"{name}: {one} is half there"
        found[name] = one
    sequence = handle.rpc("kvs.getroot", {"namespace": "primary"}).get()["rootseq"]
    assert sequence >= version, f"version {sequence} is there, {version} was acknowledged"
    done = subprocess.run([FLUX, "fsck"], env=os.environ | {"FLUX_URI": running.uri}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    handle.close()
    running.end()
    return found, sequence


def _is_there(handle: flux.Flux, key: str, space: str | None) -> bool:
    """Nothing was acknowledged: not even the namespace has to be there."""
    try:
        return flux.kvs.exists(handle, key, space)
    except OSError as error:
        if error.errno != ENOTSUP:
            raise
        return False
