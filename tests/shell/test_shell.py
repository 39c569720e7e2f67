"""One job on one node, with processes that do what the test says."""

import asyncio
from collections.abc import Awaitable, Callable
from errno import EACCES, ECANCELED, ENOENT
from typing import Any

import pytest

from flux.shell.job import Job
from flux.shell.place import Place
from flux.shell.pmi import CHANNEL
from flux.shell.shell import Shell
from flux.testing.spawn import FakeProcess, FakeSpawn

Told = list[tuple[str, dict[str, Any]]]


class Node:
    """A shell with what it told."""

    def __init__(self, ntasks: int = 2, nnodes: int = 1, spawn: FakeSpawn | None = None, **job: Any) -> None:
        self.spawn = spawn or FakeSpawn()
        self.told: Told = []
        made = Job(
            id=1 << 24,
            node=0,
            ranks=list(range(nnodes)),
            leader=0,
            taskmap=[[0, nnodes, ntasks, 1]],
            command=["a.out"],
            environment={"A": "b"},
            cwd="/tmp",
            **job,
        )
        place = Place("local:///x", "/run/tmp")
        self.shell = Shell(made, place, self.spawn, lambda *said: self.told.append(said))

    @property
    def exchanged(self) -> list[dict[str, str]]:
        """What it brought to PMI barriers of the whole job."""
        return [data["pairs"] for type, data in self.told if type == "enter"]

    @property
    def processes(self) -> list[FakeProcess]:
        return self.spawn.processes

    def types(self) -> list[str]:
        return [type for type, _ in self.told]


def on_a_node(
    ntasks: int = 2, nnodes: int = 1, **job: Any
) -> Callable[[Callable[[Node], Awaitable[None]]], Callable[[], None]]:
    """Makes a test of a scenario with a node whose tasks run."""

    def decorate(scenario: Callable[[Node], Awaitable[None]]) -> Callable[[], None]:
        def test() -> None:
            async def play() -> None:
                node = Node(ntasks, nnodes, **job)
                await node.shell.start()
                await scenario(node)

            asyncio.run(play())

        test.__name__ = scenario.__name__
        return test

    return decorate


@on_a_node()
async def test_tasks_start_where_and_as_they_should(node: Node) -> None:
    assert [process.argv for process in node.processes] == [["a.out"], ["a.out"]]
    assert [process.cwd for process in node.processes] == ["/tmp", "/tmp"]
    assert [process.channels for process in node.processes] == [("PMI_FD",), ("PMI_FD",)]
    assert [process.env["FLUX_TASK_RANK"] for process in node.processes] == ["0", "1"]
    assert node.told == [("started", {"pids": [1000, 1001]})]


@on_a_node()
async def test_a_task_is_over_when_it_has_ended_and_both_streams_have(node: Node) -> None:
    first, second = node.processes
    first.exit(0)
    second.exit(256, "stdout")
    assert "finish" not in node.types()
    second.say("stderr", b"late\n")
    second.say("stderr", b"")
    assert node.told[-2:] == [
        ("output", {"seq": 5, "io": {"stream": "stderr", "rank": "1", "eof": True}}),
        ("finish", {"status": 256, "exits": {"0": "0", "256": "1"}, "seq": 5}),
    ]


@on_a_node(window=10)
async def test_a_fast_writer_waits_for_a_slow_reader(node: Node) -> None:
    node.processes[0].say("stdout", b"0123456789\n")
    assert all(process.paused == {"stdout", "stderr"} for process in node.processes)
    node.shell.acknowledge(1)
    assert all(process.paused == set() for process in node.processes)


@on_a_node()
async def test_stdin_goes_to_all_tasks_and_is_granted_as_they_take_it(node: Node) -> None:
    node.shell.write({"stream": "stdin", "rank": "all", "data": "hello"})
    node.shell.write({"stream": "stdin", "rank": "all", "eof": True})
    assert [process.written["stdin"] for process in node.processes] == [b"hello"] * 2
    assert [process.closed for process in node.processes] == [["stdin"]] * 2
    node.processes[0].take("stdin", 5)
    assert "credit" not in node.types()
    node.processes[1].exit(0)
    assert node.told[-1] == ("credit", {"taken": 5})


@on_a_node()
async def test_a_signal_reaches_all_tasks(node: Node) -> None:
    node.shell.signal(15)
    assert [process.signals for process in node.processes] == [[15], [15]]


class SecondWaits(FakeSpawn):
    """Starts one process at once, and the others when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def __call__(self, *what: Any, **how: Any) -> FakeProcess:
        if self.processes:
            await self.go_on.wait()
        return await super().__call__(*what, **how)


@on_a_node()
async def test_who_holds_the_output_of_tasks_that_have_ended_does_not_hold_up_the_end(node: Node) -> None:
    for process in node.processes:
        process.exit(3 << 8, CHANNEL)
    node.shell.signal(10)
    assert not node.shell.finished
    node.shell.signal(15)
    assert node.told[-1] == ("finish", {"status": 3 << 8, "exits": {str(3 << 8): "0-1"}, "seq": 0})
    assert node.spawn.finished


def test_a_signal_that_comes_while_tasks_start_reaches_each_once() -> None:
    async def play() -> None:
        spawn = SecondWaits()
        node = Node(spawn=spawn)
        starting = asyncio.create_task(node.shell.start())
        await spawn.started()
        node.shell.signal(10)
        spawn.go_on.set()
        await starting
        assert [process.signals for process in node.processes] == [[10], [10]]

    asyncio.run(play())


@on_a_node()
async def test_nothing_is_left_of_a_job(node: Node) -> None:
    node.processes[0].exit(0)
    assert node.spawn.finished == []
    node.processes[1].exit(0)
    (marks,) = node.spawn.finished
    assert all(marks.items() <= process.env.items() for process in node.processes)
    assert marks["FLUX_JOB_ID"] == node.shell.job.name.f58


@on_a_node(window=10)
async def test_what_an_ended_task_still_writes_is_read_and_dropped(node: Node) -> None:
    node.processes[0].say("stdout", b"0123456789\n")
    node.shell.end()
    assert all(process.paused == set() for process in node.processes)
    told = len(node.told)
    node.processes[0].say("stdout", b"more\n")
    assert len(node.told) == told


@on_a_node()
async def test_an_ended_job_waits_for_no_more_output(node: Node) -> None:
    node.shell.end()
    assert [process.signals for process in node.processes] == [[9], [9]]
    for process in node.processes:
        process.exit(9, "stderr")
    assert node.told[-1] == ("finish", {"status": 9, "exits": {"9": "0-1"}, "seq": 0})


@on_a_node()
async def test_pmi_is_served_and_barriers_open_on_one_node(node: Node) -> None:
    for process in node.processes:
        process.say("PMI_FD", b"cmd=get kvsname=x key=PMI_process_mapping\n")
    assert node.processes[0].written["PMI_FD"] == b"cmd=get_result rc=0 value=(vector,(0,1,2))\n"
    node.processes[0].say("PMI_FD", b"cmd=put kvsname=x key=a value=b\ncmd=barrier_in\n")
    node.processes[1].say("PMI_FD", b"cmd=barrier_in\ncmd=get kvsname=x key=a\n")
    assert node.processes[1].written["PMI_FD"].endswith(b"cmd=barrier_out rc=0\ncmd=get_result rc=0 value=b\n")
    assert node.exchanged == []


@on_a_node(ntasks=1, nnodes=2)
async def test_what_tasks_exchange_may_be_any_bytes(node: Node) -> None:
    (process,) = node.processes
    process.say("PMI_FD", b"cmd=put kvsname=x key=a value=\xc3\xa9\xff b\ncmd=barrier_in\n")
    (pairs,) = node.exchanged
    pairs["a"].encode()  # or it would not get through to the others
    node.shell.release(pairs)
    process.say("PMI_FD", b"cmd=get kvsname=x key=a\n")
    assert process.written["PMI_FD"].endswith(b"value=\xc3\xa9\xff b\n")


@on_a_node(ntasks=1)
async def test_a_task_may_give_up_in_any_words(node: Node) -> None:
    node.processes[0].say("PMI_FD", b"cmd=abort exitcode=3 error_msg=caf\xc3\xa9 \xff\n")
    note = "task 0 called PMI_Abort: caf\u00e9 \ufffd"
    assert node.told[-1] == ("failed", {"errnum": ECANCELED, "note": note, "status": 3 << 8})


@on_a_node(ntasks=1, nnodes=2)
async def test_a_barrier_of_several_nodes_goes_through_the_leader(node: Node) -> None:
    (process,) = node.processes
    process.say("PMI_FD", b"cmd=put kvsname=x key=a value=b\ncmd=barrier_in\n")
    assert node.exchanged == [{"a": "b"}]
    assert b"barrier_out" not in process.written["PMI_FD"]
    node.shell.release({"a": "b", "c": "d"})
    process.say("PMI_FD", b"cmd=get kvsname=x key=c\n")
    assert process.written["PMI_FD"].endswith(b"cmd=barrier_out rc=0\ncmd=get_result rc=0 value=d\n")


@on_a_node()
async def test_a_task_that_aborts_by_pmi_fails_the_job_with_its_code(node: Node) -> None:
    node.processes[1].say("PMI_FD", b"cmd=abort exitcode=7\n")
    assert node.told[-1][0] == "failed"
    assert (node.told[-1][1]["note"], node.told[-1][1]["status"]) == ("task 1 called PMI_Abort", 7 << 8)


@on_a_node()
async def test_a_task_that_does_not_speak_pmi_is_hung_up_on(node: Node) -> None:
    node.processes[0].say("PMI_FD", b"EHLO\n")
    assert node.processes[0].closed == ["PMI_FD"]


@pytest.mark.parametrize(("errnum", "code"), [(ENOENT, 127), (EACCES, 126)])
def test_a_command_that_is_not_there_is_named(errnum: int, code: int) -> None:
    async def scenario() -> None:
        node = Node()
        node.spawn.refusal = OSError(errnum, "a.out: not there")
        await node.shell.start()
        assert node.told == [
            ("failed", {"errnum": errnum, "note": "a.out: not there", "status": code << 8}),
            ("finish", {"status": code << 8, "exits": {str(code << 8): "0-1"}, "seq": 0}),
        ]

    asyncio.run(scenario())


def test_what_comes_before_the_tasks_run_is_not_lost() -> None:
    async def scenario() -> None:
        node = Node()
        node.spawn.ready.clear()
        starting = asyncio.create_task(node.shell.start())
        await asyncio.sleep(0)
        node.shell.signal(2)
        node.spawn.ready.set()
        await starting
        assert [process.signals for process in node.processes] == [[2], [2]]

    asyncio.run(scenario())


def test_a_job_that_ends_before_its_tasks_run_kills_them_at_once() -> None:
    async def scenario() -> None:
        node = Node()
        node.spawn.ready.clear()
        starting = asyncio.create_task(node.shell.start())
        await asyncio.sleep(0)
        node.shell.end()
        node.spawn.ready.set()
        await starting
        assert [process.signals for process in node.processes] == [[9], [9]]

    asyncio.run(scenario())


@on_a_node(ntasks=1, nnodes=2)
async def test_all_that_still_counts_can_be_told_again(node: Node) -> None:
    (process,) = node.processes
    process.say("stdout", b"one\n")
    process.say("stdout", b"two\n")
    process.say("stdout", b"three\n")
    process.take("stdin", 3)
    process.take("stdin", 4)
    process.say("PMI_FD", b"cmd=put kvsname=x key=a value=b\ncmd=barrier_in\n")
    node.shell.acknowledge(1)
    node.told.clear()
    node.shell.report.again(after=2)
    assert node.told == [
        ("started", {"pids": [1000]}),
        ("credit", {"taken": 7}),
        ("enter", {"round": 1, "pairs": {"a": "b"}}),
        ("output", {"seq": 3, "io": {"stream": "stdout", "rank": "0", "data": "three\n"}}),
    ]
    node.shell.release({"a": "b"})
    process.exit(0)
    node.told.clear()
    node.shell.report.again(after=4)
    assert [(type, data.get("seq")) for type, data in node.told] == [
        ("started", None),
        ("exited", None),
        ("credit", None),
        ("output", 5),
        ("finish", 5),
    ]
