"""Hosts made of network namespaces: each with an address on one bridge, a cable that can be pulled, and a broker."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.session import FLUX, Session

PREFIX = f"fx{os.getpid() % 100000}"
HUB = f"{PREFIX}-hub"
PORT = 8050


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
        self.space, self._cable = f"{PREFIX}-{number}", f"cable{number}"
        ip("netns", "add", self.space)
        ip("-n", HUB, "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.space)
        ip("-n", HUB, "link", "set", self._cable, "master", "bridge", "up")
        ip("-n", self.space, "addr", "add", f"{self.address}/24", "dev", "eth0")
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

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Starts a program here."""
        inside = ["ip", "netns", "exec", self.space, *words]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("FLUX_", "PMI_"))}
        return subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


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


def configuration(made: list[Host], parents: dict[int, int], directory: Path) -> Path:
    """Writes what brokers have to know: where each listens and who is its parent, the certificate, a fast heart."""
    certificate, path = directory / "cert", directory / "flux.toml"
    if not certificate.exists():
        subprocess.run([FLUX, "keygen", str(certificate)], check=True, capture_output=True)
    lines = ["[heartbeat]", 'period = "0.2s"', "[bootstrap]", f'curve_cert = "{certificate}"', "hosts = ["]
    for number, host in enumerate(made):
        end = f"tcp://{host.address}:{PORT}"
        parent = f', parent = "{made[parents[number]].name}"' if number in parents else ""
        lines.append(f'  {{host = "{host.name}", bind = "{end}", connect = "{end}"{parent}}},')
    path.write_text("\n".join([*lines, "]", ""]))
    return path


class Brokers:
    """A session with a broker on each host."""

    def __init__(self, made: list[Host], conf: Path) -> None:
        self._made, self._conf = made, conf
        self._processes: dict[int, subprocess.Popen[str]] = {}
        for number in reversed(range(len(made))):  # whoever comes too early waits for its parent
            self.start(number)
        out = self._processes[0].stdout
        assert out is not None
        self.session = Session(out.readline().strip())

    def start(self, number: int) -> None:
        """Starts the broker of a host."""
        program = ["sh", "-c", "echo $FLUX_URI; exec cat"] if number == 0 else []
        words = [FLUX, "broker", "-c", str(self._conf), "-S", f"hostname={self._made[number].name}", *program]
        self._processes[number] = self._made[number].start(*words)

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
def session(made: list[Host], parents: dict[int, int], directory: Path) -> Iterator[Brokers]:
    """A session on these hosts."""
    brokers = Brokers(made, configuration(made, parents, directory))
    try:
        yield brokers
    finally:
        brokers.stop()
