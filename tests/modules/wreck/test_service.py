"""`wreck` in simulated sessions: real brokers and services, tasks that do what the test says."""

import asyncio
from collections.abc import Awaitable, Callable
from errno import EHOSTUNREACH, EINVAL, ENOENT, EPROTO
from typing import Any

import pytest

from flux.base import treeobj
from flux.base.streamlog import Fold
from flux.modules.wreck.leader import PATIENCE
from flux.testing.instance import SIMULATED, Face, SimInstance, simulate
from flux.testing.network import ROUGH
from flux.testing.spawn import FakeProcess, FakeSpawn

SEEDS = range(5)
Scenario = Callable[[SimInstance, FakeSpawn], Awaitable[None]]


def play(scenario: Scenario, size: int = 7, seed: int = 0) -> None:
    """Runs a scenario in a session with rough weather, whose brokers share one fake spawn."""
    spawn = FakeSpawn()

    async def with_spawn(instance: SimInstance) -> None:
        await scenario(instance, spawn)

    simulate(with_spawn, size, seed, weather=ROUGH, modules=(*SIMULATED, "wreck"), spawn=spawn)


class Job:
    """A job that a client of one broker runs; `told` is all that the client heard so far."""

    def __init__(self, flux: SimInstance, rank: int, ntasks: int, ranks: str, **more: Any) -> None:
        self.client: Face = flux[rank].client()
        self.told: list[dict[str, Any]] = []
        data = {"command": ["a.out"], "environment": {}, "ntasks": ntasks, "ranks": ranks, **more}
        self._stream = self.client.stream("wreck.run", data)
        self._answers = aiter(self._stream)

    async def hear(self, type: str) -> dict[str, Any]:
        """Waits for an answer of a type; returns its data."""
        while True:
            answer = await anext(self._answers)
            self.told.append(answer)
            if answer["type"] == type:
                data: dict[str, Any] = answer["data"]
                return data

    async def end(self) -> dict[str, Any]:
        """Waits for its end, after which nothing may come."""
        data = await self.hear("finish")
        assert [answer async for answer in self._answers] == []
        return data

    def notify(self, topic: str, **data: Any) -> None:
        """Sends something that concerns this job."""
        self.client.notify(topic, {"id": self.told[0]["id"], **data})

    def output(self, task: int) -> str:
        """What a task wrote to stdout, as far as it was heard."""
        pieces = [answer["data"]["io"] for answer in self.told if answer["type"] == "output"]
        return "".join(p.get("data", "") for p in pieces if p["rank"] == str(task) and p["stream"] == "stdout")


def by_task(spawn: FakeSpawn) -> list[FakeProcess]:
    """The processes in the order of their tasks."""
    return sorted(spawn.processes, key=lambda process: int(process.env["FLUX_TASK_RANK"]))


def die(spawn: FakeSpawn) -> None:
    """Those that were killed end."""
    for process in spawn.processes:
        if 9 in process.signals and not process.ended:
            process.exit(9)


async def nothing_left(flux: SimInstance) -> None:
    """No broker has anything of a job any more."""
    for broker in flux.alive:
        stats = await broker.rpc("wreck.stats-get", nodeid=broker.rank)
        assert (broker.rank, stats["led"], stats["hosted"]) == (broker.rank, 0, 0)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_job_runs_on_all_ranks_and_its_output_is_complete_before_its_end(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 5, 14, "0-6")
        assert (await job.hear("accept"))["ranks"] == list(range(7))
        await job.hear("start")
        assert [p.env["FLUX_TASK_LOCAL_ID"] for p in by_task(spawn)] == ["0", "1"] * 7
        for n in range(20):
            for task, process in enumerate(by_task(spawn)):
                process.say("stdout", b"%d of %d\n" % (n, task))
        for process in spawn.processes:
            process.exit(0)
        assert await job.end() == {"status": 0, "exits": {"0": "0-13"}}
        for task in range(14):
            assert job.output(task) == "".join(f"{n} of {task}\n" for n in range(20))
        flux[5].leave(job.client)

    play(scenario, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_client_that_leaves_takes_its_tasks_along(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 3, 7, "0-6")
        await job.hear("start")
        flux[3].leave(job.client)
        await flux.settle()
        assert [process.signals for process in spawn.processes] == [[9]] * 7
        die(spawn)
        await flux.settle()
        assert await flux[3].rpc("wreck.list") == {"jobs": []}

    play(scenario, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rank_that_is_lost_is_named_and_the_others_run_on(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 0, 3, "0,4-5")
        await job.hear("start")
        flux.kill(5)
        told = await job.hear("exception")
        assert told["note"] == "rank 5 (sim5): lost, and with it task 2"
        assert (told["type"], told["errnum"], told["severity"], told["tasks"]) == ("node-lost", EHOSTUNREACH, 2, "2")
        first, second, _ = by_task(spawn)
        assert not first.signals + second.signals
        second.say("stdout", b"still here\n")
        first.exit(0)
        second.exit(256)
        assert await job.end() == {"status": 9, "exits": {"0": "0", "256": "1", "9": "2"}}
        assert job.output(1) == "still here\n"
        flux[0].leave(job.client)

    play(scenario, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_job_does_not_notice_when_brokers_between_its_own_die(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 11, 8, "0,7-10,12-14")
        await job.hear("start")
        tasks = by_task(spawn)
        said = dict.fromkeys(range(8), 0)

        async def work(until: int) -> None:
            for _ in range(until):
                for task, process in enumerate(tasks):
                    process.say("stdout", b"%d\n" % said[task])
                    process.take("stdin", 1)
                    said[task] += 1
                await asyncio.sleep(flux.random.random() * 0.01)

        job.notify("wreck.write", io={"stream": "stdin", "rank": "all", "data": "0123456789"})
        await work(5)
        working = asyncio.ensure_future(work(25))
        for victim in flux.random.sample((1, 2, 3, 4, 5, 6), 3):
            flux.kill(victim)
            job.notify("wreck.kill", signum=10)
            job.notify("wreck.write", io={"stream": "stdin", "rank": "all", "data": f"<{victim}>"})
            await asyncio.sleep(flux.random.random() * 0.05)
        job.notify("wreck.write", io={"stream": "stdin", "rank": "all", "eof": True})
        await working
        await flux.settle()
        assert {len(process.signals) for process in tasks} == {3}
        assert len({process.written["stdin"] for process in tasks}) == 1
        assert {len(process.written["stdin"]) for process in tasks} == {19}
        assert {tuple(process.closed) for process in tasks} == {("stdin",)}
        for process in tasks:
            process.exit(0)
        assert await job.end() == {"status": 0, "exits": {"0": "0-7"}}
        for task in range(8):
            assert job.output(task) == "".join(f"{n}\n" for n in range(30))
        assert "exception" not in [answer["type"] for answer in job.told]
        flux[11].leave(job.client)
        await flux.settle()
        await nothing_left(flux)

    play(scenario, size=15, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pmi_barrier_survives_brokers_between(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 11, 8, "0,7-10,12-14")
        await job.hear("start")
        tasks = by_task(spawn)
        victims = flux.random.sample((1, 2, 3, 4, 5, 6), 2)
        for task, process in flux.random.sample(list(enumerate(tasks)), 8):
            process.say("PMI_FD", b"cmd=put kvsname=x key=k%d value=v%d\ncmd=barrier_in\n" % (task, task))
            if victims and flux.random.random() < 0.5:
                flux.kill(victims.pop())
            await asyncio.sleep(flux.random.random() * 0.01)
        await flux.settle()
        for process in tasks:
            process.say("PMI_FD", b"cmd=get kvsname=x key=k3\n")
            assert process.written["PMI_FD"].endswith(b"cmd=barrier_out rc=0\ncmd=get_result rc=0 value=v3\n")
            assert process.written["PMI_FD"].count(b"barrier_out") == 1
            process.exit(0)
        assert (await job.end())["status"] == 0
        flux[11].leave(job.client)

    play(scenario, size=15, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_parallel_program_ends_with_one_of_its_ranks(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 0, 3, "0,4-5")
        await job.hear("start")
        by_task(spawn)[0].say("PMI_FD", b"cmd=barrier_in\n")
        await flux.settle()
        flux.kill(5)
        assert (await job.hear("exception"))["severity"] == 0
        await flux.settle()
        assert [process.signals for process in by_task(spawn)[:2]] == [[9], [9]]
        die(spawn)
        assert (await job.end())["status"] == 9
        flux[0].leave(job.client)

    play(scenario, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_tasks_do_not_long_outlive_the_broker_that_leads_their_job(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 3, 3, "0,4,6")
        await job.hear("start")
        flux.kill(3)
        await flux.settle()
        assert not any(process.signals for process in spawn.processes)
        await asyncio.sleep(PATIENCE)
        assert [set(process.signals) for process in spawn.processes] == [{9}] * 3
        die(spawn)
        await flux.settle()
        await nothing_left(flux)

    play(scenario, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_who_can_be_reached_again_after_it_was_given_up_ends_its_tasks(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        flux[0].host.attributes.set("wreck.patience", "0s")
        job = Job(flux, 0, 2, "2-3")
        await job.hear("start")
        flux.kill(1)
        assert (await job.hear("exception"))["tasks"] == "1"
        await flux.settle()
        first, second = by_task(spawn)
        assert (first.signals, second.signals) == ([], [9])
        second.exit(9)
        first.exit(0)
        assert (await job.end())["exits"] == {"0": "0", "9": "1"}
        flux[0].leave(job.client)
        await flux.settle()
        await nothing_left(flux)

    play(scenario, seed=seed)


def test_a_command_that_is_not_there_ends_the_job_with_127() -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        spawn.refusal = OSError(ENOENT, "a.out: No such file or directory")
        job = Job(flux, 1, 7, "0-6")
        assert (await job.hear("exception"))["note"] == "a.out: No such file or directory"
        assert (await job.end())["status"] == 127 << 8
        assert [answer["type"] for answer in job.told] == ["accept", "exception", "finish"]
        flux[1].leave(job.client)

    play(scenario)


def test_signals_and_stdin_reach_all_tasks_and_credits_come_back() -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 2, 3, "1,3,6")
        assert (await job.hear("add-credit"))["channels"] == {"stdin": 65536}
        job.notify("wreck.write", io={"stream": "stdin", "rank": "all", "data": "hello"})
        job.notify("wreck.write", io={"stream": "stdin", "rank": "all", "eof": True})
        job.notify("wreck.kill", signum=10)
        await flux.settle()
        for process in spawn.processes:
            assert (process.written["stdin"], process.closed, process.signals) == (b"hello", ["stdin"], [10])
            process.take("stdin", 5)
        assert (await job.hear("add-credit"))["channels"] == {"stdin": 5}
        for process in spawn.processes:
            process.exit(256)
        assert (await job.end())["status"] == 256
        flux[2].leave(job.client)

    play(scenario)


def test_a_fast_writer_waits_for_its_client() -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 0, 1, "6")
        await job.hear("start")
        (process,) = spawn.processes
        count = 0
        while not process.paused:
            process.say("stdout", b"x" * 65535 + b"\n")
            count += 1
        assert count == 8 << 20 >> 16
        while len(job.output(0)) < count << 16:
            last = await job.hear("output")
        job.notify("wreck.ack", seq={str(last["node"]): last["seq"]})
        await flux.settle()
        assert not process.paused
        process.exit(0)
        await job.end()
        flux[0].leave(job.client)

    play(scenario)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_pmi_barrier_brings_all_nodes_together(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 1, 7, "0-6")
        await job.hear("start")
        for task, process in enumerate(by_task(spawn)):
            process.say("PMI_FD", b"cmd=put kvsname=x key=k%d value=v%d\ncmd=barrier_in\n" % (task, task))
        await flux.settle()
        for process in spawn.processes:
            process.say("PMI_FD", b"cmd=get kvsname=x key=k3\n")
            assert process.written["PMI_FD"].endswith(b"cmd=barrier_out rc=0\ncmd=get_result rc=0 value=v3\n")
            process.exit(0)
        await job.end()
        flux[1].leave(job.client)

    play(scenario, seed=seed)


def test_a_node_runs_a_job_once() -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 0, 1, "0")
        await job.hear("start")
        told = {"id": job.told[0]["id"], "node": 0, "ranks": [0], "leader": 0, "taskmap": [[0, 1, 1, 1]]}
        again = flux[0].stream("wreck.start", {"job": told | {"command": ["a.out"], "environment": {}}})
        with pytest.raises(FileExistsError, match="runs here already"):
            await anext(again)
        (process,) = spawn.processes
        process.exit(0)
        assert (await job.end())["status"] == 0

    play(scenario, size=1)


def test_a_node_that_waits_is_not_sent_home_by_what_it_asked_before() -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 0, 2, "0-1")
        await job.hear("start")
        late = {"id": job.told[0]["id"], "node": 1, "attempt": 1}
        with pytest.raises(FileExistsError):
            await flux[0].rpc("wreck.attend", late)
        await flux.settle()
        assert [process.signals for process in spawn.processes] == [[], []]
        for process in spawn.processes:
            process.exit(0)
        assert (await job.end())["status"] == 0
        flux[0].leave(job.client)

    play(scenario, size=3)


@pytest.mark.parametrize("why", ["", "the session ends"])
def test_unloading_wreck_kills_what_it_runs(why: str) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 0, 2, "0,2")
        await job.hear("start")
        unloading = flux.loop.create_task(flux[2].modules.remove("wreck", why))
        await flux.settle()
        die(spawn)
        await unloading
        assert (await job.hear("exception"))["note"] == f"rank 2: {why or 'wreck was unloaded'}"
        await flux.settle()
        die(spawn)
        assert (await job.end())["status"] == 9
        flux[0].leave(job.client)
        await flux[2].modules.load("wreck")

    play(scenario, size=3)


@pytest.mark.parametrize(
    ("topic", "data", "errnum"),
    [
        ("wreck.run", {"command": [], "environment": {}}, EINVAL),
        ("wreck.run", {"command": ["a"], "environment": {}, "ntasks": 0}, EINVAL),
        ("wreck.run", {"command": ["a"], "environment": {}, "ranks": "0-9"}, EINVAL),
        ("wreck.run", {"command": ["a"], "environment": {}, "ranks": "x"}, EINVAL),
        ("wreck.run", {"command": "a", "environment": {}}, EPROTO),
        ("wreck.kill", {"id": 5, "signum": 9}, ENOENT),
        ("wreck.write", {"id": 5, "io": {}}, ENOENT),
        ("wreck.attend", {"id": 5, "node": 0}, ENOENT),
        ("wreck.release", {"id": 5, "number": 1, "pairs": {}}, ENOENT),
        ("wreck.signal", {"id": 5, "number": 1, "signum": 9}, ENOENT),
    ],
)
def test_bad_requests_are_refused(topic: str, data: dict[str, Any], errnum: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        client = flux[0].client()
        with pytest.raises(OSError) as refused:
            async for _ in client.stream(topic, data):
                pass
        assert refused.value.errno == errnum
        flux[0].leave(client)

    play(scenario, size=1)


# -- output that is kept as a stream -----------------------------------------------------------------------------------


def keeping(scenario: Scenario, size: int = 7, seed: int = 0) -> None:
    spawn = FakeSpawn()

    async def with_spawn(instance: SimInstance) -> None:
        await scenario(instance, spawn)

    simulate(with_spawn, size, seed, weather=ROUGH, modules=(*SIMULATED, "stream", "wreck"), spawn=spawn)


async def kept(flux: SimInstance, key: str, rank: int = 3) -> tuple[dict[str, str], Fold]:
    """What a stream has of each task's stdout, and how far it is, as the rank sees it that has asked for the job."""
    value = await flux[rank].rpc("kvs.lookup", {"key": key, "namespace": "primary", "flags": 0})
    fold, found = Fold(), dict[str, str]()
    for said in fold.feed(treeobj.value_of(value["val"])):
        if said.stream == "stdout":
            found[said.rank] = found.get(said.rank, "") + said.data.decode()
    return found, fold


@pytest.mark.parametrize("seed", SEEDS)
def test_a_jobs_output_is_kept_whole_and_is_there_when_the_job_is_over(seed: int) -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 3, 4, "0-3", stream="out.{{ntasks}}")
        await job.hear("start")
        for number in range(20):
            for task, process in enumerate(by_task(spawn)):
                process.say("stdout", b"%d:%d\n" % (task, number))
            await asyncio.sleep(0.01)
        for process in by_task(spawn):
            process.exit(0)
        await job.end()
        found, fold = await kept(flux, "out.4")
        assert found == {str(task): job.output(task) for task in range(4)}
        assert found["3"].endswith("3:19\n")
        assert (fold.ended, fold.remarks) == (True, [])
        await flux.settle()
        await nothing_left(flux)

    keeping(scenario, seed=seed)


def test_a_job_whose_stream_is_refused_does_not_begin() -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        await flux[0].rpc(
            "kvs.commit",
            {"namespace": "primary", "flags": 0, "ops": [{"key": "x", "flags": 0, "dirent": treeobj.val(b"")}]},
        )
        with pytest.raises(FileExistsError, match="x: is there already"):
            await Job(flux, 3, 1, "3", stream="x").hear("accept")
        assert spawn.processes == []
        await flux.settle()
        await nothing_left(flux)

    keeping(scenario)


def test_a_client_that_leaves_ends_the_stream_of_its_job() -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 3, 2, "0-1", stream="x")
        await job.hear("start")
        by_task(spawn)[0].say("stdout", b"before\n")
        await flux.settle()
        flux[3].leave(job.client)
        await flux.settle()
        die(spawn)
        await flux.settle()
        found, fold = await kept(flux, "x")
        assert (found["0"], fold.ended) == ("before\n", True)
        await flux.settle()
        await nothing_left(flux)

        early = Job(flux, 3, 1, "3", stream="y")
        flux[3].leave(early.client)
        await flux.settle()
        assert len(spawn.processes) == 2
        await flux.settle()
        await nothing_left(flux)

    keeping(scenario)


def test_a_job_goes_on_without_its_stream_when_that_cannot_be_written() -> None:
    async def scenario(flux: SimInstance, spawn: FakeSpawn) -> None:
        job = Job(flux, 3, 1, "3", stream="x")
        await job.hear("start")
        await flux[0].rpc("module.remove", {"name": "stream"})
        told = await job.hear("exception")
        assert told == {
            "severity": 2,
            "type": "stream",
            "note": "output is not kept any more: stream was unloaded",
            "tasks": "",
        }
        by_task(spawn)[0].say("stdout", b"after\n")
        by_task(spawn)[0].exit(0)
        assert (await job.end())["status"] == 0
        assert job.output(0) == "after\n"
        await flux.settle()
        await nothing_left(flux)

    keeping(scenario)
