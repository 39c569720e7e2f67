"""The service with processes that do what the test says, on virtual time."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from errno import EBUSY, EEXIST, EINVAL, ENODATA, ENOENT, ENOSPC, ENOSYS, EPERM, EPROTO, ESRCH
from typing import Any

import pytest

from flux.modules.rexec.service import Rexec
from flux.testing.host import FakeHost
from flux.testing.spawn import FakeSpawn
from flux.testing.virtual import VirtualLoop
from flux.wire.message import LOCAL, NORESPONSE, OWNER, STREAMING, USER, Response

Answers = list[tuple[int, Any]]


class Desk:
    """The service on a host, and all of its clients."""

    def __init__(self, rank: int, **attributes: str) -> None:
        self.spawn = FakeSpawn()
        self.host = FakeHost({"local-uri": "local:///here"} | attributes, rank=rank, size=4, spawn=self.spawn)
        self.tag = 0
        """The last request's."""

    @property
    def logged(self) -> list[str]:
        return [text for _, _, text in self.host.logged]

    def now(self) -> float:
        return self.host.now()

    def ask(self, method: str, client: bytes = b"me", how: int = 0, role: int = OWNER, **body: Any) -> Answers:
        """Sends a request, `how` being its message flags; its answers come to the list that is returned."""
        answers: Answers = []

        def told(response: Response) -> None:
            answers.append((response.errnum, response.text() if response.errnum else response.body()))

        wanted = None if how & NORESPONSE else told
        self.tag = self.host.request(f"rexec.{method}", body, wanted, sender=client, rolemask=role, flags=how)
        return answers

    def exec(self, *cmdline: str, client: bytes = b"me", flags: int = 3, stream: bool = True, **cmd: Any) -> Answers:
        """Asks for a process."""
        data = {"cmdline": list(cmdline), "env": {"PATH": "/bin"}, "opts": {}, "channels": []} | cmd
        return self.ask("exec", client, STREAMING if stream else 0, cmd=data, flags=flags)

    def write(self, tag: int, client: bytes = b"me", **io: Any) -> None:
        """Writes to stdin of the process of request `tag`."""
        self.ask("write", client, NORESPONSE, matchtag=tag, io={"stream": "stdin", "rank": "0"} | io)


def play(scenario: Callable[[Desk], Awaitable[None]], rank: int = 3, **attributes: str) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:

        async def session() -> None:
            desk = Desk(rank, **attributes)
            await desk.host.load(Rexec)
            await scenario(desk)
            for process in desk.spawn.processes:
                if not process.ended:
                    process.exit(9)
            if desk.host.services:
                await desk.host.unload("rexec")

        runner.run(session())


def output(pid: int, stream: str, **io: Any) -> tuple[int, Any]:
    return 0, {"type": "output", "pid": pid, "io": {"stream": stream, "rank": "3"} | io}


def test_a_process_in_the_foreground_is_told_to_its_end() -> None:
    async def scenario(desk: Desk) -> None:
        answers = desk.exec("cat", "-n", cwd="/tmp", flags=11)
        process = await desk.spawn.started()
        assert (process.argv, process.cwd) == (["cat", "-n"], "/tmp")
        assert process.env == {"PATH": "/bin", "FLUX_URI": "local:///here"}
        process.say("stdout", b"one\ntwo\nthr")
        process.halt(signal.SIGSTOP)
        process.say("stderr", b"\xff\n")
        process.exit(256)
        assert answers == [
            (0, {"type": "started", "pid": 1000}),
            (0, {"type": "add-credit", "channels": {"stdin": 4 << 20}}),
            output(1000, "stdout", data="one\n"),
            output(1000, "stdout", data="two\n"),
            (0, {"type": "stopped"}),
            output(1000, "stderr", data="/wo=", encoding="base64"),
            output(1000, "stdout", data="thr"),
            output(1000, "stdout", eof=True),
            output(1000, "stderr", eof=True),
            (0, {"type": "finished", "status": 256}),
            (ENODATA, ""),
        ]
        assert desk.ask("list") == [(0, {"rank": 3, "procs": []})]

    play(scenario)


def test_only_the_owner_may_start_anything() -> None:
    async def scenario(desk: Desk) -> None:
        assert desk.ask("exec", role=USER, cmd={}, flags=0)[0][0] == EPERM

    play(scenario)


@pytest.mark.parametrize(("rank", "role", "allowed"), [(0, OWNER, False), (0, OWNER | LOCAL, True), (1, OWNER, True)])
def test_rank_0_is_for_those_who_are_there_where_guests_are_let_in(rank: int, role: int, allowed: bool) -> None:
    async def scenario(desk: Desk) -> None:
        refused = [(EPERM, "Remote rexec requests are not allowed on rank 0")]
        signalled = desk.ask("kill", role=role, pid=1, signum=9)
        assert (signalled == refused) != allowed

    play(scenario, rank, **{"access.allow-guest-user": "true"})


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (OSError(ENOENT, "nosuch: No such file or directory"), "error launching process: No such file or directory"),
        (OSError(ENOENT, "/x: No such file or directory"), "error launching process: /x: No such file or directory"),
    ],
)
def test_what_cannot_start_says_why(failure: OSError, text: str) -> None:
    async def scenario(desk: Desk) -> None:
        desk.spawn.refusal = failure
        for stream in (True, False):
            answers = desk.exec("nosuch", stream=stream, flags=0)
            await asyncio.sleep(0)
            assert answers == [(ENOENT, text)]
        assert desk.ask("list") == [(0, {"rank": 3, "procs": []})]

    play(scenario)


def test_bad_requests_are_refused_in_words() -> None:
    async def scenario(desk: Desk) -> None:
        assert desk.exec()[0] == (EPROTO, "command string is empty")
        assert desk.ask("exec", how=STREAMING)[0][0] == EPROTO
        assert desk.exec("cat", flags=16)[0] == (EINVAL, "waitable flag only supported in background mode")
        signum: dict[str, Any] = {"signum": 9}
        for method, more in (("kill", signum), ("wait", {})):
            missing = desk.ask(method, pid=5, **more)
            assert missing == [(ESRCH, "pid 5 does not belong to any subprocess")]
        by_label = desk.ask("attach", how=STREAMING, pid=-1, label="x")
        assert by_label[0][0] == EPROTO  # no stream flags

    play(scenario)


def test_input_goes_to_the_process_of_that_client_and_tag() -> None:
    async def scenario(desk: Desk) -> None:
        answers = desk.exec("cat", flags=11)
        tag = desk.tag
        desk.write(tag, data="early ")  # before it runs
        desk.write(tag, data="bGF0ZQ==", encoding="base64", eof=True)
        desk.write(tag, client=b"stranger", data="no")
        desk.write(tag + 100, data="no")
        desk.write(tag, stream="nonsense", data="no")
        process = await desk.spawn.started()
        await asyncio.sleep(0)
        assert process.written == {"stdin": b"early late"}
        assert process.closed == ["stdin"]
        process.take("stdin", 10)
        assert answers[-1] == (0, {"type": "add-credit", "channels": {"stdin": 10}})

    play(scenario)


def test_who_knows_the_key_of_a_process_reaches_it_by_that() -> None:
    async def scenario(desk: Desk) -> None:
        data = {"cmdline": ["cat"], "env": {}, "opts": {"stdout_WINDOW": "4"}, "channels": []}
        answers = desk.ask("exec", b"many.1", STREAMING, cmd=data, flags=11, key="k")
        desk.ask("kill", how=NORESPONSE, key="k", signum=10)  # before it runs
        process = await desk.spawn.started()
        await asyncio.sleep(0)
        assert process.signals == [10]
        desk.ask("write", how=NORESPONSE, key="k", io={"stream": "stdin", "rank": "0", "data": "in"})
        desk.ask("write", how=NORESPONSE, key="other", io={"stream": "stdin", "rank": "0", "data": "no"})
        assert process.written == {"stdin": b"in"}
        process.say("stdout", b"more\n")
        assert process.paused == {"stdout"}
        desk.ask("credit", how=NORESPONSE, key="k", channels={"stdout": 5})
        assert process.paused == set()
        assert desk.ask("kill", key="other", signum=9) == [(0, {})]
        assert process.signals == [10]
        assert answers[0] == (0, {"type": "started", "pid": process.pid})
        desk.ask("disconnect", b"many.1", NORESPONSE)
        assert process.signals == [10, signal.SIGKILL]

    play(scenario)


def test_a_client_that_writes_beyond_its_credit_loses_the_process() -> None:
    async def scenario(desk: Desk) -> None:
        answers = desk.exec("cat", opts={"stdin_BUFSIZE": "4"})
        tag = desk.tag
        process = await desk.spawn.started()
        desk.write(tag, data="12345")
        assert answers[-1] == (ENOSPC, "internal fatal error: stdin: No space left in buffer")
        assert process.signals == [signal.SIGKILL]
        process.exit(9)
        assert desk.ask("list") == [(0, {"rank": 3, "procs": []})]

    play(scenario)


def test_a_process_waits_for_a_client_that_set_a_window() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("yes", opts={"stdout_WINDOW": "4"})
        tag = desk.tag
        process = await desk.spawn.started()
        process.say("stdout", b"y\n")
        assert process.paused == set()
        process.say("stdout", b"y\ny\n")
        process.say("stderr", b"y\ny\ny\n")
        assert process.paused == {"stdout"}
        desk.ask("credit", b"stranger", NORESPONSE, matchtag=tag, channels={"stdout": 6})
        desk.ask("credit", how=NORESPONSE, matchtag=tag, channels={"stdout": 2, "nonsense": 7})
        assert process.paused == {"stdout"}
        desk.ask("credit", how=NORESPONSE, matchtag=tag, channels={"stdout": 1})
        assert process.paused == set()
        process.say("stdout", b"y\n")
        assert process.paused == {"stdout"}
        desk.ask("disconnect", how=NORESPONSE)
        assert process.paused == set()
        assert process.signals == [9]

    play(scenario)


def test_a_signal_reaches_it_by_pid_or_label() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("sleep", label="nap")
        process = await desk.spawn.started()
        assert desk.ask("kill", pid=process.pid, signum=15) == [(0, {})]
        assert desk.ask("kill", pid=-1, label="nap", signum=2) == [(0, {})]
        assert process.signals == [15, 2]

    play(scenario)


def test_a_client_that_leaves_takes_its_foreground_processes_along() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("one", client=b"leaver")
        one = await desk.spawn.started()
        desk.exec("two", client=b"other")
        two = await desk.spawn.started(2)
        desk.exec("three", client=b"leaver", stream=False, flags=0)
        three = await desk.spawn.started(3)
        desk.spawn.ready.clear()
        desk.exec("four", client=b"leaver")
        await asyncio.sleep(0)
        desk.ask("disconnect", b"leaver", NORESPONSE)
        desk.spawn.ready.set()
        four = await desk.spawn.started(4)
        await asyncio.sleep(0)
        assert [p.signals for p in (one, two, three, four)] == [[9], [], [], [9]]

    play(scenario)


def test_a_process_in_the_background_is_answered_once_and_logged() -> None:
    async def scenario(desk: Desk) -> None:
        answers = desk.exec("/bin/sh", "-c", "x", stream=False, flags=0)
        process = await desk.spawn.started()
        assert answers == [(0, {"type": "started", "pid": 1000})]
        assert process.closed == ["stdin"]
        process.say("stdout", b"some output\n")
        process.say("stderr", b"some error")
        process.exit(256)
        assert desk.logged == ["sh[1000]: some output", "sh[1000]: some error", "sh[1000]: Exit 1"]
        assert len(answers) == 1
        assert desk.ask("list") == [(0, {"rank": 3, "procs": []})]

    play(scenario)


def test_the_log_names_the_signal_and_the_label() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("/bin/sleep", stream=False, flags=0, label="nap")
        process = await desk.spawn.started()
        process.exit(15)
        assert desk.logged == ["nap: sleep[1000]: Killed by signal 15"]

    play(scenario)


def test_a_label_is_for_one_process_at_a_time() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("sleep", label="nap")
        process = await desk.spawn.started()
        assert desk.exec("sleep", label="nap") == [(EEXIST, "command label is not unique")]
        process.exit(0)
        assert desk.exec("sleep", label="nap") == []

    play(scenario)


def test_who_waits_gets_the_status_whether_before_or_after_the_end() -> None:
    async def scenario(desk: Desk) -> None:
        for number, early in enumerate((True, False)):
            desk.exec("job", stream=False, flags=16, label="job")
            process = await desk.spawn.started(number + 1)
            answers = desk.ask("wait", pid=process.pid) if early else []
            process.say("stdout", b"result\n")
            process.exit(512)
            entry = {"pid": process.pid, "cmd": "job", "label": "job", "state": "Z"}
            procs = [] if early else [entry]
            assert desk.ask("list") == [(0, {"rank": 3, "procs": procs})]
            answers = answers or desk.ask("wait", pid=-1, label="job")
            io = {"stream": "stdout", "rank": "3", "data": "result\n"}
            assert answers == [(0, {"status": 512, "output": [io]})]
            assert desk.ask("wait", pid=process.pid)[0][0] == ESRCH

    play(scenario)


def test_one_may_wait_at_a_time_and_only_for_what_is_waitable() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("a", stream=False, flags=0)
        plain = await desk.spawn.started()
        assert desk.ask("wait", pid=plain.pid) == [(EINVAL, "process is not waitable")]
        desk.exec("b", stream=False, flags=16)
        process = await desk.spawn.started(2)
        assert desk.ask("wait", b"first", pid=process.pid) == []
        assert desk.ask("wait", pid=process.pid) == [(EINVAL, "process is already being waited on")]
        assert attach(desk, process.pid) == [(EBUSY, "subprocess is being waited on")]
        desk.ask("disconnect", b"first", NORESPONSE)
        second = desk.ask("wait", pid=process.pid)
        process.exit(0)
        assert second == [(0, {"status": 0})]

    play(scenario)


def attach(desk: Desk, pid: int, client: bytes = b"me") -> Answers:
    return desk.ask("attach", client, STREAMING, pid=pid, flags=3)


def test_who_attaches_hears_the_rest() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("job", stream=False, flags=0)
        process = await desk.spawn.started()
        process.say("stdout", b"before\n")
        process.say("stderr", b"")
        first = attach(desk, process.pid, b"first")
        assert attach(desk, process.pid) == [(EBUSY, "subprocess already has a client attached")]
        assert first[0][1]["type"] == "attached"
        assert first[0][1]["cmd"]["cmdline"] == ["job"]
        assert first[1:] == [output(1000, "stderr", eof=True)]
        desk.ask("disconnect", b"first", NORESPONSE)
        assert process.signals == []
        second = attach(desk, process.pid)
        process.say("stdout", b"after\n")
        process.exit(0, "stdout")
        assert second[1:] == [
            output(1000, "stderr", eof=True),
            output(1000, "stdout", data="after\n"),
            output(1000, "stdout", eof=True),
            (0, {"type": "finished", "status": 0}),
            (ENODATA, ""),
        ]
        assert desk.logged == ["job[1000]: before", "job[1000]: after", "job[1000]: Exit 0"]
        assert attach(desk, process.pid) == [(ENOENT, "pid 1000 does not belong to any subprocess")]

    play(scenario)


def test_attaching_to_what_has_ended_reaps_it() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("job", stream=False, flags=16)
        process = await desk.spawn.started()
        process.exit(7 << 8)
        answers = attach(desk, process.pid)
        assert [body["type"] for _, body in answers[:-1]] == ["attached", "output", "output", "finished"]
        assert answers[-1] == (ENODATA, "")
        assert desk.ask("wait", pid=process.pid)[0][0] == ESRCH

    play(scenario)


def test_a_foreground_process_is_nobody_elses() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("job")
        process = await desk.spawn.started()
        assert attach(desk, process.pid, b"other") == [(EBUSY, "subprocess is not in background mode")]

    play(scenario)


def test_when_the_service_goes_processes_are_asked_to_end_and_then_made_to() -> None:
    async def scenario(desk: Desk) -> None:
        desk.exec("done", stream=False, flags=16)
        (await desk.spawn.started()).exit(0)
        polite = desk.exec("polite")
        first = await desk.spawn.started(2)
        deaf = desk.exec("deaf")
        second = await desk.spawn.started(3)
        began = desk.now()
        unload = asyncio.ensure_future(desk.host.unload("rexec"))
        await asyncio.sleep(1)
        assert (first.signals, second.signals) == ([15], [15])
        first.exit(15)
        assert polite[-1] == (ENODATA, "")
        await unload
        assert second.signals == [15, 9]
        assert desk.now() - began == 5
        assert deaf[-1] == (ENOSYS, "rexec was unloaded")

    play(scenario)


def test_a_service_without_processes_goes_at_once() -> None:
    async def scenario(desk: Desk) -> None:
        await desk.host.unload("rexec")
        assert desk.now() == 0

    play(scenario)
