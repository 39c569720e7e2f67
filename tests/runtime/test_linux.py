import os
import socket
import subprocess
import sys
from collections.abc import Callable
from errno import ENOSYS
from pathlib import Path

import pytest

from flux.runtime import linux

only_linux = pytest.mark.skipif(not linux.LINUX, reason="Linux has it")


def in_a_child(do: Callable[[], bool]) -> bool:
    """Does it in a forked process, which it may change. Whether it was true there."""
    pid = os.fork()
    if pid == 0:
        ok = False
        try:
            ok = do()
        finally:
            os._exit(0 if ok else 1)
    return os.waitpid(pid, 0)[1] == 0


def test_a_peer_is_who_the_kernel_says() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert linux.peer_credentials(ours) == (os.getpid(), os.getuid(), os.getgid())


@only_linux
def test_a_subreaper_gets_the_orphans() -> None:
    def orphan_comes_to_us() -> bool:
        assert linux.set_subreaper()
        read, write = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                os.read(read, 1)
                os._exit(3)
            os._exit(0)
        os.wait()
        os.write(write, b"x")
        return os.waitstatus_to_exitcode(os.wait()[1]) == 3

    assert in_a_child(orphan_comes_to_us)


@only_linux
def test_a_name_shows_in_both_places_that_ps_looks_at() -> None:
    code = """if True:
        from pathlib import Path
        from flux.runtime.linux import set_process_name
        set_process_name("flux-broker-4711")
        print([Path("/proc/self", name).read_text().rstrip(chr(0)) for name in ("comm", "cmdline")])
    """
    said = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert said == f"{['flux-broker-471' + chr(10), 'flux-broker-4711']}\n"


@only_linux
def test_a_name_longer_than_the_command_line_is_cut() -> None:
    def renamed() -> bool:
        room = len(Path("/proc/self/cmdline").read_bytes()) - 1
        linux.set_process_name("x" * 100_000)
        return Path("/proc/self/cmdline").read_bytes() == b"x" * room + b"\0"

    assert in_a_child(renamed)


@only_linux
def test_a_pidfd_becomes_readable_at_the_end() -> None:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(read, 1)
        os._exit(0)
    descriptor = linux.pidfd_open(pid)
    os.write(write, b"x")
    assert os.waitid(os.P_PIDFD, descriptor, os.WEXITED) is not None
    for each in (read, write, descriptor):
        os.close(each)


def test_without_pidfds_the_refusal_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    with pytest.raises(OSError, match="no pidfd") as refusal:
        linux.pidfd_open(1)
    assert refusal.value.errno == ENOSYS


@only_linux
@pytest.mark.parametrize("fast", [True, False])
def test_descendants_are_children_and_theirs(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setattr(os.path, "exists", lambda path: False)
    read, write = os.pipe()
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        grandchild = os.fork()
        if grandchild:
            os.write(tell, b"%d" % grandchild)
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    grandchild = int(os.read(ready, 20))
    assert linux.children(child) == [grandchild]
    assert {child, grandchild} <= set(linux.descendants(os.getpid()))
    for each in (write, read, ready, tell):
        os.close(each)
    os.waitpid(child, 0)
