"""Real processes, on both kinds of event loop."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from errno import EACCES, EINVAL, ENOENT, ESRCH
from pathlib import Path

import pytest
import uvloop

from flux.runtime.keeper import fork_keeper
from flux.runtime.spawn import Spawner
from flux.runtime.spawn_port import Conditions
from flux.testing.spawn import Recorder

ENV = {"PATH": os.environ["PATH"]}
Scenario = Callable[[Spawner], Awaitable[None]]
Run = Callable[[Scenario], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run(scenario: Scenario) -> None:
        keeper = fork_keeper()

        async def session() -> None:
            spawner = Spawner(keeper)
            try:
                await scenario(spawner)
            finally:
                await spawner.close()

        (uvloop.run if request.param == "uvloop" else asyncio.run)(session())

    return run


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_an_exit_code_arrives(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        await spawn(["sh", "-c", "exit 7"], watcher, env=ENV)
        assert os.waitstatus_to_exitcode(await watcher.over()) == 7

    run(scenario)


def test_a_signal_reaches_the_whole_group_and_is_in_the_status(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        process = await spawn(["sh", "-c", "sleep 1000 & echo ready; wait"], watcher, env=ENV)
        await watcher.said("stdout", b"ready")
        process.kill(signal.SIGTERM)
        assert os.WTERMSIG(await watcher.over()) == signal.SIGTERM  # over: the one in the background is gone too

    run(scenario)


def test_a_process_leads_its_own_group_unless_asked_otherwise(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        for group in (True, False):
            watcher = Recorder()
            process = await spawn(python("import os; print(os.getpgrp())"), watcher, env=ENV, group=group)
            await watcher.over()
            assert (int(watcher.data["stdout"]) == process.pid) == group

    run(scenario)


def test_what_a_leader_leaves_behind_in_its_group_can_still_be_killed(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        process = await spawn(["sh", "-c", "sleep 1000 & echo ready"], watcher, env=ENV)
        assert await watcher.exit() == 0
        assert watcher.ends == []
        process.kill(signal.SIGTERM)
        await watcher.over()
        with pytest.raises(ProcessLookupError) as refusal:
            process.kill(signal.SIGTERM)
        assert refusal.value.errno == ESRCH

    run(scenario)


def test_a_signal_that_does_not_exist_is_refused(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        process = await spawn(["cat"], watcher, env=ENV)
        with pytest.raises(OSError, match="4711: no such signal") as refusal:
            process.kill(4711)
        assert refusal.value.errno == EINVAL

    run(scenario)


def test_a_stopped_process_is_reported_and_goes_on(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        process = await spawn(["cat"], watcher, env=ENV)
        process.kill(signal.SIGSTOP)
        await watcher.change()
        assert watcher.stops == [signal.SIGSTOP]
        process.kill(signal.SIGCONT)
        process.close("stdin")
        assert await watcher.over() == 0

    run(scenario)


def test_ten_megabytes_go_in_and_come_out_whole(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        process = await spawn(["sh", "-c", "tee /dev/stderr"], watcher, env=ENV)
        data = os.urandom(1 << 20) * 10
        for start in range(0, len(data), 1 << 16):
            process.write("stdin", data[start : start + (1 << 16)])
        process.close("stdin")
        assert await watcher.over() == 0
        assert watcher.data["stdout"] == data
        assert watcher.data["stderr"] == data
        assert watcher.taken["stdin"] == len(data)
        assert sorted(watcher.ends) == ["stderr", "stdout"]

    run(scenario)


def test_input_that_nobody_reads_counts_as_taken(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        process = await spawn(["sh", "-c", "exec 0<&-; echo closed; exec sleep 1000"], watcher, env=ENV)
        await watcher.said("stdout", b"closed")
        process.write("stdin", b"x" * 1000)
        while watcher.taken["stdin"] < 1000:
            await watcher.change()
        process.kill(signal.SIGKILL)

    run(scenario)


def test_output_that_is_paused_stays_in_the_pipe(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        process = await spawn(["sh", "-c", "echo said; echo done >&2"], watcher, env=ENV)
        process.pause("stdout")
        await watcher.said("stderr", b"done")
        await watcher.exit()
        assert watcher.data["stdout"] == b""
        process.resume("stdout")
        await watcher.over()
        assert watcher.data["stdout"] == b"said\n"

    run(scenario)


def test_directory_and_environment_are_the_tasks_own(run: Run, tmp_path: Path) -> None:
    async def scenario(spawn: Spawner) -> None:
        here = os.getcwd()
        watcher = Recorder()
        await spawn(["sh", "-c", 'pwd; echo "$A-$HOME"'], watcher, env={**ENV, "A": "ä"}, cwd=str(tmp_path))
        await watcher.over()
        assert watcher.data["stdout"].decode() == f"{tmp_path}\nä-\n"
        after = Recorder()
        await spawn(["pwd"], after, env=ENV)
        await after.over()
        assert after.data["stdout"].decode() == f"{here}\n"

    run(scenario)


def test_a_command_is_looked_up_in_the_tasks_path(run: Run, tmp_path: Path) -> None:
    (tmp_path / "greet").write_text("echo hello $1\n")  # no #! line: the shell's, as execvp has it
    (tmp_path / "greet").chmod(0o755)

    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        await spawn(["greet", "you"], watcher, env={"PATH": f"/nonexistent:{tmp_path}"})
        await watcher.over()
        assert watcher.data["stdout"] == b"hello you\n"
        relative = Recorder()
        await spawn(["./greet", "me"], relative, env={}, cwd=str(tmp_path))
        await relative.over()
        assert relative.data["stdout"] == b"hello me\n"

    run(scenario)


@pytest.mark.parametrize(
    ("argv", "errnum", "text"),
    [
        (["nosuchcmd", "x"], ENOENT, "nosuchcmd: No such file or directory"),
        (["./nosuchcmd"], ENOENT, "./nosuchcmd: No such file or directory"),
        (["/etc/passwd"], EACCES, "/etc/passwd: Permission denied"),
        ([""], ENOENT, ": No such file or directory"),
        (["true\0"], EINVAL, "embedded null byte"),
        ([], EINVAL, "no command"),
    ],
)
def test_a_command_that_cannot_start_is_named(run: Run, argv: list[str], errnum: int, text: str) -> None:
    async def scenario(spawn: Spawner) -> None:
        with pytest.raises(OSError, match=text) as refusal:
            await spawn(argv, Recorder(), env=ENV)
        assert refusal.value.errno == errnum

    run(scenario)


def test_a_directory_that_is_not_there_is_named(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        with pytest.raises(FileNotFoundError) as refusal:
            await spawn(["true"], Recorder(), env=ENV, cwd="/no/such/place")
        assert refusal.value.strerror == "/no/such/place: No such file or directory"

    run(scenario)


def test_a_channel_is_a_stream_both_ways(run: Run) -> None:
    code = """if True:
        import os, socket
        channel = socket.socket(fileno=int(os.environ["SIDE"]))
        data = b"".join(iter(lambda: channel.recv(100), b""))
        channel.sendall(data.upper())
    """

    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        process = await spawn(python(code), watcher, env=ENV, channels=["SIDE"])
        process.write("SIDE", b"hello ")
        process.write("SIDE", b"there")
        process.close("SIDE")
        assert await watcher.over("stdout", "stderr", "SIDE") == 0
        assert watcher.data["SIDE"] == b"HELLO THERE"
        assert watcher.taken["SIDE"] == 11

    run(scenario)


def test_descriptors_are_handed_over_and_nothing_else(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        read, write = os.pipe()
        watcher = Recorder()
        code = "import os; os.write(int(os.environ['GIFT']), ' '.join(os.listdir('/proc/self/fd')).encode())"
        await spawn(python(code), watcher, env=ENV, sockets={"GIFT": write})
        os.close(write)
        await watcher.over()
        assert len(os.read(read, 1000).split()) == 5  # three standard streams, the gift, and the listing itself
        os.close(read)

    run(scenario)


def test_a_standard_stream_may_be_a_descriptor_of_the_callers(run: Run, tmp_path: Path) -> None:
    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        out = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
        await spawn(["echo", "x"], watcher, env=ENV, sockets={"stdout": out})
        os.close(out)
        await watcher.over("stderr")
        assert (tmp_path / "out").read_bytes() == b"x\n"
        assert watcher.ends == ["stderr"]

    run(scenario)


def test_no_handler_and_no_mask_is_inherited(run: Run) -> None:
    code = """if True:
        from signal import SIG_IGN, getsignal, pthread_sigmask, valid_signals
        print([s for s in valid_signals() if getsignal(s) == SIG_IGN], pthread_sigmask(0, []))
    """

    async def scenario(spawn: Spawner) -> None:
        watcher = Recorder()
        await spawn(python(code), watcher, env=ENV)
        await watcher.over()
        own = "[<Signals.SIGPIPE: 13>, <Signals.SIGXFSZ: 25>]"  # what Python itself ignores
        assert watcher.data["stdout"].decode() == f"{own} set()\n"

    run(scenario)


def test_mask_limits_and_cpus_hold_for_one_process_only(run: Run) -> None:
    code = """if True:
        import os, resource
        print(os.umask(0), resource.getrlimit(resource.RLIMIT_NOFILE)[0], sorted(os.sched_getaffinity(0)))
    """
    cpu = max(os.sched_getaffinity(0))
    conditions = Conditions(umask=0o27, limits={"nofile": 77}, cpus=(cpu,))

    async def scenario(spawn: Spawner) -> None:
        said = []
        for given in (conditions, Conditions()):
            watcher = Recorder()
            await spawn(python(code), watcher, env=ENV, conditions=given)
            await watcher.over()
            said.append(watcher.data["stdout"].decode())
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        umask = os.umask(0)
        os.umask(umask)
        assert said == [f"{0o27} 77 [{cpu}]\n", f"{umask} {soft} {sorted(os.sched_getaffinity(0))}\n"]

    run(scenario)


def test_a_limit_that_does_not_exist_is_named(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        with pytest.raises(OSError, match="limit patience: no such limit"):
            await spawn(["true"], Recorder(), env=ENV, conditions=Conditions(limits={"patience": 1}))

    run(scenario)


def test_two_hundred_start_at_once_and_all_are_heard_to_the_end(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        watchers = [Recorder() for _ in range(200)]
        started = [spawn(["echo", str(n)], watcher, env=ENV) for n, watcher in enumerate(watchers)]
        processes = await asyncio.gather(*started)
        assert len({process.pid for process in processes}) == 200
        for n, watcher in enumerate(watchers):
            assert await watcher.over() == 0
            assert watcher.data["stdout"] == b"%d\n" % n
            assert sorted(watcher.ends) == ["stderr", "stdout"]

    run(scenario)


def test_a_starter_that_gives_up_leaves_no_process_behind(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        read, write = os.pipe()
        watcher = Recorder()
        start = asyncio.ensure_future(spawn(["sleep", "1000"], watcher, env=ENV, sockets={"HOLD": write}))
        await asyncio.sleep(0)
        start.cancel()
        os.close(write)
        assert await asyncio.get_running_loop().run_in_executor(None, os.read, read, 1) == b""
        os.close(read)
        assert watcher.statuses == []

    run(scenario)


def test_an_environment_larger_than_a_socket_buffer_arrives(run: Run) -> None:
    async def scenario(spawn: Spawner) -> None:
        env = {**ENV, **{f"V{n}": "x" * 100_000 for n in range(10)}}
        watchers = [Recorder() for _ in range(4)]
        await asyncio.gather(*[spawn(["sh", "-c", "echo ${#V9}"], watcher, env=env) for watcher in watchers])
        for watcher in watchers:
            await watcher.over()
            assert watcher.data["stdout"] == b"100000\n"

    run(scenario)
