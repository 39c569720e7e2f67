"""Sessions that find themselves by configuration, as brokers on several hosts do; here the hosts are names only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.session import FLUX, flux

FACTS = """
flux getattr size; flux getattr hostlist; flux getattr broker.boot-method
flux getattr tbon.topo; flux getattr tbon.maxlevel
flux exec -r 3 flux getattr hostname
flux exec -r 3 flux getattr tbon.parent-endpoint
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A configuration of four hosts in three levels."""
    assert flux("keygen", f"{tmp_path}/cert").code == 0
    path = tmp_path / "boot.toml"
    path.write_text(
        f'[bootstrap]\ncurve_cert = "{tmp_path}/cert"\n'
        f'default_bind = "ipc://{tmp_path}/%h"\ndefault_connect = "ipc://{tmp_path}/%h"\n'
        'hosts = [\n  { host = "h[0-3]" },\n  { host = "h[2-3]", parent = "h1" },\n]\n'
    )
    return path


def facts(path: Path, topo: str, maxlevel: int, parent: str) -> str:
    return f"4\nh[0-3]\nconfig\n{topo}\n{maxlevel}\nh3\nipc://{path.parent}/{parent}\n"


@contextmanager
def broker(path: Path, host: str) -> "Iterator[subprocess.Popen[str]]":
    """A broker on another host than rank 0."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("FLUX_")}
    words = [FLUX, "broker", "-c", str(path), "-S", f"hostname={host}"]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env) as process:
        yield process


def test_brokers_that_know_nothing_but_their_hosts_name_become_a_session(files: Path) -> None:
    with broker(files, "h3") as three, broker(files, "h1") as one, broker(files, "h2") as two:
        done = flux("broker", "-c", str(files), "-Shostname=h0", "sh", "-c", FACTS)
        assert done == (0, facts(files, "custom", 2, "h1"), "")
        for process in (one, two, three):
            assert process.communicate()[1] == ""
            assert process.returncode == 0


def test_flux_start_makes_as_many_hosts_as_one_wants(files: Path) -> None:
    words = ["start", "-s", "4", "--test-hosts=h[0-3]", "-c", str(files)]
    assert flux(*words, "sh", "-c", FACTS) == (0, facts(files, "custom", 2, "h1"), "")
    assert flux(*words, "-Stbon.topo=kary:1", "sh", "-c", FACTS) == (0, facts(files, "kary:1", 3, "h2"), "")
    ranks = flux(*words, "flux", "run", "-n", "4", "sh", "-c", "echo $FLUX_TASK_RANK").out
    assert sorted(ranks.split()) == ["0", "1", "2", "3"]


def test_tcp_is_as_good_as_ipc(files: Path) -> None:
    import socket

    with socket.socket() as first, socket.socket() as second:
        for taken in (first, second):
            taken.bind(("127.0.0.1", 0))
        ports = [taken.getsockname()[1] for taken in (first, second)]
    text = f'[bootstrap]\ncurve_cert = "{files.parent}/cert"\n'
    for rank, port in enumerate(ports):
        end = f"tcp://127.0.0.1:{port}"
        text += f'[[bootstrap.hosts]]\nhost = "h{rank}"\nbind = "{end}"\nconnect = "{end}"\n'
    files.write_text(text + '[[bootstrap.hosts]]\nhost = "h2"\nparent = "h1"\n')
    words = ["start", "-s3", "--test-hosts=h[0-2]", "-c", str(files), "flux", "getattr", "tbon.endpoint"]
    assert flux(*words) == (0, f"tcp://127.0.0.1:{ports[0]}\n", "")


@pytest.mark.parametrize(
    ("words", "err"),
    [
        (["broker", "-Shostname=h9"], "flux-broker: bootstrap.hosts: h9, this host, is not among them\n"),
        (["start", "-s4"], "flux-start: boot.toml:1: bootstrap: says which host is which broker: use --test-hosts, "),
        (["start", "-s4", "--test-hosts=h[0-2]"], "flux-start: --test-hosts: 3 hosts for 4 brokers\n"),
        (["start", "-Sbroker.boot-method=magic"], "flux-start: -S broker.boot-method: 'magic' is not one of config, "),
    ],
)
def test_who_does_not_fit_is_told_so_in_one_line(files: Path, words: list[str], err: str) -> None:
    done = flux(*words, "-c", "boot.toml", "true", cwd=files.parent)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(err)
    assert done.err.count("\n") == 1


def test_a_certificate_that_others_may_read_is_refused(files: Path) -> None:
    (files.parent / "cert").chmod(0o644)
    done = flux("broker", "-c", str(files), "-Shostname=h0", "true")
    assert done.code == 1
    assert done.err.startswith(f"flux-broker: bootstrap.curve_cert: {files.parent}/cert: others may read or write it")
    assert done.err.count("\n") == 1


def test_a_broker_with_another_certificate_is_not_let_in(files: Path, tmp_path: Path) -> None:
    assert flux("keygen", f"{tmp_path}/other").code == 0
    other = tmp_path / "other.toml"
    other.write_text(files.read_text().replace("/cert", "/other"))
    with broker(other, "h1") as stranger:
        done = flux(
            "broker", "-c", str(files), "-Shostname=h0", "-Sbroker.quorum=1", "sh", "-c", "flux getattr size; wait"
        )
        assert (done.code, done.out) == (0, "4\n")
        stranger.terminate()
        stranger.communicate()
        assert stranger.returncode != 0


def test_the_configuration_may_be_left_aside(files: Path) -> None:
    asked = ["flux", "getattr", "broker.boot-method"]
    given = ["-c", str(files)]
    assert flux("start", "-s2", *given, "-Sbroker.boot-method=simple", *asked) == (0, "simple\n", "")
    assert flux("broker", *given, "-Sbroker.boot-method=single", *asked) == (0, "single\n", "")
    files.write_text("[bootstrap]\n")
    assert flux("broker", *given, *asked) == (0, "config\n", "")
