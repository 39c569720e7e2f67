"""Nothing outlives its broker. Every process here holds the write end of a pipe: its end is seen as the pipe's."""

import asyncio
import os
import select
import signal
import sys
import textwrap
from errno import EIO
from pathlib import Path

import pytest

from flux.runtime.keeper import fork_keeper
from flux.runtime.spawn import Spawner
from flux.testing.spawn import Recorder

ENV = {"PATH": os.environ["PATH"]}

FAMILY = """
    import os, signal
    for signum in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)
    ready, done = os.pipe()
    if os.fork() == 0:  # a child in the same group
        os.write(done, b"1")
        signal.pause()
    if os.fork() == 0:  # one with a session of its own
        os.setsid()
        os.write(done, b"2")
        signal.pause()
    if os.fork() == 0:  # a daemon: forks twice, its parent is gone
        os.setsid()
        if os.fork() == 0:
            os.write(done, b"3")
            signal.pause()
        os._exit(0)
    for _ in range(3):
        os.read(ready, 1)
    print("ready", flush=True)
    signal.pause()
"""
"""A task with three kinds of offspring, all of which mean to stay."""


def family() -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(FAMILY)]


def daemon() -> list[str]:
    """A task that leaves one behind, with a child of its own, and both hold what is called HOLD."""
    code = """
        import os, signal
        if os.fork() == 0:
            os.setsid()
            for descriptor in range(3):
                os.close(descriptor)
            os.fork()
            signal.pause()
    """
    return [sys.executable, "-c", textwrap.dedent(code)]


async def end_of(read: int) -> None:
    """Waits until nobody holds the other end of the pipe."""
    assert await asyncio.get_running_loop().run_in_executor(None, os.read, read, 1) == b""
    os.close(read)


def test_a_broker_killed_with_9_takes_all_its_tasks_along() -> None:
    read, write = os.pipe()
    ready, tell = os.pipe()
    broker = os.fork()
    if broker == 0:
        try:
            keeper = fork_keeper()

            async def be_a_broker() -> None:
                spawn = Spawner(keeper)
                watcher = Recorder()
                await spawn(family(), watcher, env=ENV, sockets={"HOLD": write})
                await watcher.said("stdout", b"ready")
                os.write(tell, b"x")
                await watcher.exit()

            asyncio.run(be_a_broker())
        finally:
            os._exit(1)
    os.close(write)
    assert os.read(ready, 1) == b"x"
    os.kill(broker, signal.SIGKILL)
    assert os.waitpid(broker, 0)[1] == signal.SIGKILL
    assert os.read(read, 1) == b""
    for descriptor in (read, ready, tell):
        os.close(descriptor)


def test_closing_kills_everything_and_tells_it() -> None:
    keeper = fork_keeper()

    async def scenario() -> None:
        spawn = Spawner(keeper)
        read, write = os.pipe()
        watcher = Recorder()
        await spawn(family(), watcher, env=ENV, sockets={"HOLD": write})
        os.close(write)
        await watcher.said("stdout", b"ready")
        await spawn.close()
        assert watcher.statuses == [signal.SIGKILL]
        assert sorted(watcher.ends) == ["stderr", "stdout"]
        await end_of(read)
        with pytest.raises(OSError, match="keeper") as refusal:
            await spawn(["true"], Recorder(), env=ENV)
        assert refusal.value.errno == EIO
        await spawn.close()

    asyncio.run(scenario())
    with pytest.raises(ChildProcessError):
        os.waitpid(keeper.pid, 0)


def test_when_the_keeper_dies_what_ran_is_lost_and_killed() -> None:
    keeper = fork_keeper()

    async def scenario() -> None:
        spawn = Spawner(keeper)
        read, write = os.pipe()
        watcher = Recorder()
        await spawn(["sh", "-c", "sleep 1000 & echo ready; wait"], watcher, env=ENV, sockets={"HOLD": write})
        os.close(write)
        await watcher.said("stdout", b"ready")
        losses: list[str] = []
        spawn.on_lost = lambda: losses.append("lost")
        os.kill(keeper.pid, signal.SIGKILL)
        assert await watcher.over() == signal.SIGKILL
        await end_of(read)
        with pytest.raises(OSError, match="keeper"):
            await spawn(["true"], Recorder(), env=ENV)
        await spawn.close()
        assert losses == ["lost"]

    asyncio.run(scenario())


def test_a_start_under_way_when_the_keeper_dies_is_refused() -> None:
    keeper = fork_keeper()

    async def scenario() -> None:
        spawn = Spawner(keeper)
        os.kill(keeper.pid, signal.SIGSTOP)
        start = asyncio.ensure_future(spawn(["true"], Recorder(), env=ENV))
        await asyncio.sleep(0)
        os.kill(keeper.pid, signal.SIGKILL)
        with pytest.raises(OSError, match="keeper"):
            await start
        await spawn.close()

    asyncio.run(scenario())


def test_what_a_terminal_sends_does_not_end_the_keeper() -> None:
    keeper = fork_keeper()

    async def scenario() -> None:
        spawn = Spawner(keeper)
        first = Recorder()
        await spawn(["true"], first, env=ENV)  # it is past its beginnings
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP):
            os.kill(keeper.pid, signum)
        watcher = Recorder()
        await spawn(["true"], watcher, env=ENV)
        assert await watcher.over() == 0
        await spawn.close()

    asyncio.run(scenario())


def test_a_directory_that_may_only_be_entered_is_where_tasks_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o300)
    keeper = fork_keeper()
    tmp_path.chmod(0o700)

    async def scenario() -> None:
        spawn = Spawner(keeper)
        for cwd, where in (("/", b"/\n"), ("", os.fsencode(tmp_path) + b"\n")):
            watcher = Recorder()
            await spawn(["pwd"], watcher, env=ENV, cwd=cwd)
            await watcher.over()
            assert watcher.data["stdout"] == where
        await spawn.close()

    asyncio.run(scenario())


def test_the_keeper_holds_nothing_that_was_open_before() -> None:
    read, write = os.pipe()
    keeper = fork_keeper()
    os.close(write)
    assert os.read(read, 1) == b""  # nobody else has the other end
    os.close(read)

    async def scenario() -> None:
        await Spawner(keeper).close()

    asyncio.run(scenario())


def test_what_is_left_of_tasks_that_have_ended_is_ended_by_what_they_were_given() -> None:
    keeper = fork_keeper()

    async def scenario() -> None:
        spawn = Spawner(keeper)
        ends = {}
        for job in ("1", "2"):
            read, write = os.pipe()
            watcher = Recorder()
            await spawn(daemon(), watcher, env=ENV | {"JOB": job, "OF": "us"}, sockets={"HOLD": write})
            os.close(write)
            await watcher.over()
            ends[job] = read
        runs = Recorder()
        mate = await spawn(["cat"], runs, env=ENV | {"JOB": "1", "OF": "us"})
        spawn.finish({"JOB": "1", "OF": "them"})
        spawn.finish({"JOB": "1", "OF": "us"})
        await end_of(ends["1"])
        assert not select.select([ends["2"]], [], [], 0)[0]
        mate.write("stdin", b"I run by order")
        await runs.said("stdout", b"I run by order")
        await spawn.close()
        await end_of(ends["2"])

    asyncio.run(scenario())


def test_an_orphan_does_not_stay_a_zombie() -> None:
    keeper = fork_keeper()

    async def scenario() -> None:
        spawn = Spawner(keeper)
        watcher = Recorder()
        await spawn(["sh", "-c", "(cat <&3 & echo $!) 3<&0"], watcher, env=ENV)
        await watcher.exit()
        await watcher.said("stdout", b"\n")
        orphan = int(watcher.data["stdout"])
        end = os.pidfd_open(orphan)
        os.kill(orphan, signal.SIGKILL)
        assert select.select([end], [], [])[0]
        os.close(end)
        probe = Recorder()  # the keeper reaps whoever there is before it reports
        await spawn(["true"], probe, env=ENV)
        await probe.exit()
        with pytest.raises(ProcessLookupError):
            os.kill(orphan, 0)
        await spawn.close()

    asyncio.run(scenario())
