"""Hosts made of network namespaces: each with an address on one bridge, a cable that can be pulled, and a broker."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.hosts.manager import Manager
from tests.session import FLUX, Session

PREFIX = f"fx{os.getpid() % 100000}"
HUB = f"{PREFIX}-hub"
PORT = 8050
PROGRAM = ("sh", "-c", "echo $FLUX_URI; exec cat")
"""What rank 0 runs: it says where the session is, and ends it at the end of its input."""


def ip(*words: str) -> None:
    """Runs ip(8); subprocess.CalledProcessError says that it may not."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


def impossible() -> str:
    """Why there can be no such hosts here, "" if there can."""
    try:
        ip("netns", "add", HUB)
        ip("netns", "del", HUB)
    except FileNotFoundError:
        return "there is no ip(8)"
    except subprocess.CalledProcessError as error:
        return f"network namespaces cannot be made: {error.stderr.decode().strip()}"
    return ""


class Host:
    """One host."""

    def __init__(self, number: int) -> None:
        self.name, self.address = f"node{number}", f"10.77.0.{number + 1}"
        self.address6 = f"fd00:77::{number + 1}"
        self.space, self._cable = f"{PREFIX}-{number}", f"cable{number}"
        ip("netns", "add", self.space)
        ip("-n", HUB, "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        ip("-n", HUB, "link", "set", self._cable, "master", "bridge", "up")
        ip("-n", self.space, "addr", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self.space, "addr", "add", f"{self.address6}/64", "dev", "eth0", "nodad")
        ip("-n", self.space, "link", "set", "eth0", "up")
        ip("-n", self.space, "link", "set", "lo", "up")

    def unplug(self) -> None:
        """Pulls the cable: nothing gets in or out, and nobody is told."""
        ip("-n", HUB, "link", "set", self._cable, "down")

    def plug(self) -> None:
        """Puts it back."""
        ip("-n", HUB, "link", "set", self._cable, "up")

    def delay(self, *how: str) -> None:
        """Has tc(8) delay or lose what leaves the host. subprocess.CalledProcessError where the kernel cannot."""
        words = ["tc", "-n", self.space, "qdisc", "add", "dev", "eth0", "root", "netem", *how]
        subprocess.run(words, check=True, capture_output=True)

    def start(self, *words: str, env: dict[str, str] | None = None, fds: Sequence[int] = ()) -> "subprocess.Popen[str]":
        """Starts a program here, which has also `env` and the files `fds`."""
        inside = ["ip", "netns", "exec", self.space, *words]
        around = {name: value for name, value in os.environ.items() if not name.startswith(("FLUX_", "PMI_"))}
        pipe = subprocess.PIPE
        return subprocess.Popen(inside, stdin=pipe, stdout=pipe, text=True, env=around | (env or {}), pass_fds=fds)


def finish(process: "subprocess.Popen[str]") -> None:
    """Ends a process at once, if it has not ended."""
    if process.poll() is None:
        process.kill()
    with process:  # closes its pipes, and waits
        pass


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many hosts; all is gone afterwards."""
    try:
        ip("netns", "add", HUB)
        ip("-n", HUB, "link", "add", "bridge", "type", "bridge", "forward_delay", "0")
        ip("-n", HUB, "link", "set", "bridge", "up")
        yield [Host(number) for number in range(count)]
    finally:
        for space in (HUB, *(f"{PREFIX}-{number}" for number in range(count))):
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", space)


def configuration(made: list[Host], parents: dict[int, int], directory: Path, period: str = "0.2s") -> Path:
    """Writes what brokers have to know: where each listens and who is its parent, the certificate, a fast heart."""
    certificate, path = directory / "cert", directory / "flux.toml"
    if not certificate.exists():
        subprocess.run([FLUX, "keygen", str(certificate)], check=True, capture_output=True)
    lines = ["[heartbeat]", f'period = "{period}"', "[bootstrap]", f'curve_cert = "{certificate}"', "hosts = ["]
    for number, host in enumerate(made):
        end = f"tcp://{host.address}:{PORT}"
        parent = f', parent = "{made[parents[number]].name}"' if number in parents else ""
        lines.append(f'  {{host = "{host.name}", bind = "{end}", connect = "{end}"{parent}}},')
    path.write_text("\n".join([*lines, "]", ""]))
    return path


class Brokers:
    """A session with a broker on each host, all of which are started alike."""

    def __init__(self, made: list[Host], start: Callable[[int], "subprocess.Popen[str]"]) -> None:
        self._start = start
        self._processes: dict[int, subprocess.Popen[str]] = {}
        for number in reversed(range(len(made))):  # whoever comes too early waits for its parent
            self.start(number)

    def await_session(self) -> None:
        """Waits until the session is up."""
        out = self._processes[0].stdout
        assert out is not None
        self.session = Session(out.readline().strip())

    def start(self, number: int) -> None:
        """Starts the broker of a host."""
        self._processes[number] = self._start(number)

    def kill(self, number: int) -> None:
        """Ends a broker at once."""
        finish(self._processes.pop(number))

    def end(self) -> dict[int, int]:
        """Ends the session; returns the exit code of each broker."""
        stdin = self._processes[0].stdin
        assert stdin is not None
        stdin.close()
        return {number: process.wait() for number, process in self._processes.items()}

    def stop(self) -> None:
        """Makes sure that nothing is left."""
        for process in self._processes.values():
            finish(process)


@contextmanager
def session(made: list[Host], parents: dict[int, int], directory: Path, period: str = "0.2s") -> Iterator[Brokers]:
    """A session on these hosts, whose brokers find each other by configuration."""
    conf = configuration(made, parents, directory, period)

    def start(number: int) -> "subprocess.Popen[str]":
        words = [FLUX, "broker", "-c", str(conf), "-S", f"hostname={made[number].name}"]
        return made[number].start(*words, *(() if number else PROGRAM))

    brokers = Brokers(made, start)
    try:
        brokers.await_session()
        yield brokers
    finally:
        brokers.stop()


@contextmanager
def session_by_pmi(made: list[Host], *options: str) -> Iterator[Brokers]:
    """A session on these hosts, whose brokers find each other by PMI."""
    manager = Manager(len(made))

    def start(number: int) -> "subprocess.Popen[str]":
        fd = manager.theirs[number].fileno()
        told = {"PMI_FD": str(fd), "PMI_RANK": str(number), "PMI_SIZE": str(len(made))}
        words = [FLUX, "broker", "-S", f"hostname={made[number].name}", *options, *(() if number else PROGRAM)]
        return made[number].start(*words, env=told, fds=[fd])

    brokers = Brokers(made, start)
    try:
        manager.serve()
        brokers.await_session()
        yield brokers
    finally:
        brokers.stop()
        manager.close()
