"""`wreck`, the remote execution service: the broker that is asked leads the job, those with tasks host its shells."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from errno import EEXIST, EINVAL, ENOENT
from typing import Any

import msgspec

from flux.base.idset import IDset
from flux.base.jobid import JobID
from flux.modules.wreck.ids import JobIDs
from flux.modules.wreck.leader import Action, Answer, Ask, Leader, Over
from flux.runtime import rundir
from flux.service import LATER, Call, Later, Service, request
from flux.service.kit import LOG_ERR
from flux.shell.job import Job
from flux.shell.place import Place
from flux.shell.plan import plan
from flux.shell.shell import Shell
from flux.wire.message import STREAMING, Response

WINDOW, LEAST_WINDOW = 8 << 20, 1 << 16
"""Bytes of output that may be under way to a client, shared out to a job's nodes; and the least that a node gets."""


class Led:
    """A job that was asked for here."""

    def __init__(self, leader: Leader, call: Call, command: list[str]) -> None:
        self.leader, self.call, self.command = leader, call, command
        self.attending: list[Call] = []
        self.in_barrier: list[Call] = []


class Wreck(Service):
    """Runs jobs."""

    async def start(self) -> None:
        """Begins without jobs."""
        self._led: dict[int, Led] = {}
        self._shells: dict[int, Shell] = {}
        self._none_left = asyncio.Event()
        self._ids = JobIDs(self.host.rank)
        self._began = float(self._attribute("broker.starttime") or self.host.wall())

    async def stop(self) -> None:
        """Kills what runs here, and waits until it is dead."""
        self._none_left.clear()
        for shell in list(self._shells.values()):
            shell.give_up(f"rank {self.host.rank}: wreck was unloaded")
        if self._shells:
            await self._none_left.wait()

    # -- for clients ------------------------------------------------------------------------------------------------

    @request("run", stream=True)
    def run_job(
        self,
        call: Call,
        *,
        command: list[str],
        environment: dict[str, str],
        cwd: str = "",
        ntasks: int = 1,
        ranks: str = "",
        unbuffered: bool = False,
    ) -> Later:
        """Runs a command on `ranks` (RFC 22; ours unless said) and tells all that becomes of it (see `Leader`)."""
        if not command:
            raise OSError(EINVAL, "no command")
        made = plan(ntasks, self._ranks(ranks))
        id = self._ids.next(int((self.host.wall() - self._began) * 1000))
        led = self._led[id] = Led(Leader(id, made), call, command)
        self._do(led, led.leader.accepted())
        call.on_close = lambda: self._do(led, led.leader.abandoned())
        for node, rank in enumerate(made.ranks):
            job = Job(
                id=id,
                node=node,
                ranks=list(made.ranks),
                leader=self.host.rank,
                taskmap=made.taskmap.to_json(),
                command=command,
                environment=environment,
                cwd=cwd,
                unbuffered=unbuffered,
                window=max(LEAST_WINDOW, WINDOW // len(made.ranks)),
            )
            self._start_node(led, node, rank, job)
        return LATER

    @request()
    def write(self, call: Call, *, id: int, io: dict[str, Any]) -> None:
        """Passes a data context (RFC 24) to the stdin of all tasks."""
        self._do_for(id, lambda leader: leader.write(io))

    @request()
    def ack(self, call: Call, *, id: int, seq: dict[str, int]) -> None:
        """The client has the output of each node up to a number."""
        if id in self._led:
            self._do_for(id, lambda leader: leader.acknowledge(seq))

    @request()
    def kill(self, call: Call, *, id: int, signum: int) -> None:
        """Signals all tasks of a job."""
        self._do_for(id, lambda leader: leader.signal(signum))

    @request("list")
    def list_jobs(self, call: Call) -> dict[str, Any]:
        """The jobs that were asked for here and are not over."""
        return {"jobs": [_described(led) for led in self._led.values()]}

    # -- between brokers: the leader's side -------------------------------------------------------------------------

    @request()
    def attend(self, call: Call, *, id: int) -> Later:
        """A node waits for the end of the job; were this broker to die, it would hear that too."""
        self._find(id).attending.append(call)
        return LATER

    @request()
    def exchange(self, call: Call, *, id: int, node: int, pairs: dict[str, str]) -> Later:
        """A node is in a PMI barrier; answered with everybody's pairs when all are."""
        led = self._find(id)
        led.in_barrier.append(call)
        everybody = led.leader.entered(node, pairs)
        if everybody is not None:
            waiting, led.in_barrier = led.in_barrier, []
            for other in waiting:
                other.respond({"pairs": everybody})
        return LATER

    def _start_node(self, led: Led, node: int, rank: int, job: Job) -> None:
        def told(response: Response) -> None:
            if response.errnum:
                self._do(led, led.leader.lost(node, response.errnum, response.text()))
            else:
                said = response.body()
                self._do(led, led.leader.heard(node, said["type"], said["data"]))

        self.send_request("wreck.start", {"job": msgspec.to_builtins(job)}, told, nodeid=rank, flags=STREAMING)

    def _do_for(self, id: int, what: Any) -> None:
        led = self._find(id)
        self._do(led, what(led.leader))

    def _do(self, led: Led, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Answer(type, data):
                    led.call.respond({"id": led.leader.id, "type": type, "data": data})
                case Ask(rank, topic, data):
                    self.notify(topic, data, nodeid=rank)
                case Over():
                    self._forget(led)

    def _forget(self, led: Led) -> None:
        del self._led[led.leader.id]
        led.call.end()
        for call in led.attending:
            call.respond()
        for call in led.in_barrier:
            call.refuse(ENOENT, "the job is over")

    def _find(self, id: int) -> Led:
        if id not in self._led:
            raise OSError(ENOENT, f"{JobID(id)}: no such job")
        return self._led[id]

    # -- between brokers: a node's side -----------------------------------------------------------------------------

    @request("start", stream=True)
    def host_job(self, call: Call, *, job: Job) -> Later:
        """Starts the tasks of a job that belong here, and tells the leader all that becomes of them."""
        if job.id in self._shells:
            raise OSError(EEXIST, f"{job.name}: runs here already")
        tmpdir = self._make_tmpdir(job)

        def tell(type: str, data: dict[str, Any]) -> None:
            call.respond({"type": type, "data": data})
            if type == "finish":
                self._finished(job.id, tmpdir)
                call.end()

        def exchange(pairs: dict[str, str]) -> None:
            self._exchange(job, shell, pairs)

        level = int(self._attribute("instance-level") or 0) + 1
        path = self._attribute("jobid-path") or "/"
        place = Place(self._attribute("local-uri"), tmpdir, self.host.hostname, level, path)
        shell = self._shells[job.id] = Shell(job, place, self.host.spawn, tell, exchange)
        call.on_close = shell.end
        if job.leader != self.host.rank:
            self.send_request("wreck.attend", {"id": job.id}, lambda _: shell.end(), nodeid=job.leader)
        self.run(shell.start())
        return LATER

    @request()
    def signal(self, call: Call, *, id: int, signum: int) -> None:
        """Signals the tasks here."""
        if id in self._shells:
            self._shells[id].signal(signum)

    @request()
    def input(self, call: Call, *, id: int, io: dict[str, Any]) -> None:
        """Passes stdin to the tasks here."""
        if id in self._shells:
            self._shells[id].write(io)

    @request()
    def consumed(self, call: Call, *, id: int, seq: int) -> None:
        """The client has our output up to a number."""
        if id in self._shells:
            self._shells[id].acknowledge(seq)

    @request()
    def end(self, call: Call, *, id: int) -> None:
        """Kills the tasks here; the job has failed."""
        if id in self._shells:
            self._shells[id].end()

    def _exchange(self, job: Job, shell: Shell, pairs: dict[str, str]) -> None:
        def told(response: Response) -> None:
            if not response.errnum:
                shell.release(response.body()["pairs"])

        data = {"id": job.id, "node": job.node, "pairs": pairs}
        self.send_request("wreck.exchange", data, told, nodeid=job.leader)

    def _make_tmpdir(self, job: Job) -> str:
        base = self._attribute("rundir")
        path = f"{base}/jobtmp-{job.node}-{job.name.f58plain}" if base else ""
        if path:
            try:
                rundir.make_private(path)
            except OSError as error:
                self.log(LOG_ERR, f"{job.name}: {error.strerror}")
                return ""
        return path

    def _finished(self, id: int, tmpdir: str) -> None:
        self._shells.pop(id, None)
        if not self._shells:
            self._none_left.set()
        if tmpdir and not rundir.remove_empty(tmpdir):
            self.run(asyncio.to_thread(rundir.remove, tmpdir))

    # -- inside -----------------------------------------------------------------------------------------------------

    def _ranks(self, text: str) -> list[int]:
        try:
            ranks = list(IDset(text)) if text else [self.host.rank]
        except ValueError as error:
            raise OSError(EINVAL, f"ranks: {error}") from None
        if ranks and ranks[-1] >= self.host.size:
            raise OSError(EINVAL, f"rank {ranks[-1]}: this instance has ranks 0-{self.host.size - 1}")
        return ranks

    def _attribute(self, name: str) -> str:
        with suppress(OSError):
            return self.host.attributes.get(name)
        return ""


def _described(led: Led) -> dict[str, Any]:
    made = led.leader.plan
    return {
        "id": led.leader.id,
        "state": led.leader.state,
        "ntasks": made.ntasks,
        "ranks": str(IDset(made.ranks)),
        "command": led.command,
    }
