"""`wreck`, the remote execution service: the broker that is asked leads the job, those with tasks host its shells."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from errno import EEXIST, EHOSTUNREACH, EINVAL, ENODATA, ENOENT
from typing import Any

import msgspec

from flux.base.duration import parse_fsd
from flux.base.idset import IDset
from flux.base.jobid import JobID
from flux.base.jobids import JobIDs
from flux.base.mustache import job_tags, render
from flux.base.taskmap import Taskmap
from flux.modules.wreck.actions import Action, Again, Answer, Ask, Over, Release, Start
from flux.modules.wreck.hosted import Hosted
from flux.modules.wreck.kept import STREAMS, Kept
from flux.modules.wreck.leader import NOTED, Leader
from flux.runtime import filetree, rundir
from flux.service import ALL, LATER, Call, Later, Service, request
from flux.service.kit import LOG_ERR, LOG_WARNING
from flux.shell.job import Job, Options
from flux.shell.place import Place
from flux.shell.plan import placed, plan
from flux.shell.shell import Shell
from flux.wire.message import STREAMING, Response

WINDOW, LEAST_WINDOW = 8 << 20, 1 << 16
"""Bytes of output that may be under way to a client, shared out to a job's nodes; and the least that a node gets."""
NO_OPTIONS = Options()
PATIENCE = "wreck.patience"
"""The attribute that says for how long a job's nodes, and who leads it, are tried when they cannot be reached."""


class Led:
    """A job that was asked for here."""

    def __init__(self, leader: Leader, call: Call, job: Job) -> None:
        self.leader, self.call = leader, call
        self.job = job
        """What its first node is told."""
        self.attending: dict[int, tuple[int, Call]] = {}
        """By node, with how often it has asked."""
        self.kept: Kept | None = None
        """Its output, if that is kept as a stream; and the request that keeps it."""
        self.keeping = 0
        self.held: list[Action] = []
        """What is done when the stream has ended: the end of the job."""


class Wreck(Service):
    """Runs jobs."""

    async def start(self) -> None:
        """Begins without jobs."""
        self._led: dict[int, Led] = {}
        self._hosted: dict[int, Hosted] = {}
        self._none_left = asyncio.Event()
        self._ids = JobIDs(self.host.rank)
        self._began = float(self._attribute("broker.starttime") or self.host.wall())
        self.follow(PATIENCE, self._take_patience, "30s")

    async def stop(self) -> None:
        """Kills what runs here, and waits until it is dead."""
        self._none_left.clear()
        for hosted in self._busy:
            hosted.shell.give_up(f"rank {self.host.rank}: {self.farewell}")
        if self._busy:
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
        stream: str = "",
        id: int = 0,
        taskmap: list[Any] | None = None,
        options: Options = NO_OPTIONS,
    ) -> Later:
        """Runs a command on `ranks` (RFC 22; ours unless said) and tells all that becomes of it (see `Leader`).

        A job that has an `id` already keeps it; `taskmap` (RFC 34) has its tasks, if they are not to be spread.
        With `stream` its output is also kept, as a stream at that key, in which {{id}} and the like are replaced. If
        that is refused, so is the job.
        """
        if not command:
            raise OSError(EINVAL, "no command")
        where = self._ranks(ranks)
        made = plan(ntasks, where) if taskmap is None else placed(where, Taskmap.from_json(taskmap))
        id = id or self._ids.next(int((self.host.wall() - self._began) * 1000))
        if id in self._led:
            raise OSError(EEXIST, f"{JobID(id)}: runs already")
        job = Job(
            id=id,
            node=0,
            ranks=list(made.ranks),
            leader=self.host.rank,
            taskmap=made.taskmap.to_json(),
            command=command,
            environment=environment,
            cwd=cwd,
            unbuffered=unbuffered,
            window=max(LEAST_WINDOW, WINDOW // len(made.ranks)),
            options=options,
        )
        led = self._led[id] = Led(Leader(id, made, self._patience), call, job)
        if stream:
            tags = job_tags(id, command[0].rpartition("/")[2], len(made.ranks), made.ntasks)
            self._keep(led, render(stream, tags, lambda tag: None))
        else:
            self._begin(led)
        return LATER

    def _begin(self, led: Led) -> None:
        led.call.on_close = lambda: self._do(led, led.leader.abandoned())
        self._do(led, led.leader.begin())

    @request()
    def write(self, call: Call, *, id: int, io: dict[str, Any]) -> None:
        """Passes a data context (RFC 24) to the stdin of all tasks."""
        self._do_for(id, lambda leader: leader.write(io))

    @request()
    def ack(self, call: Call, *, id: int, seq: dict[str, int]) -> None:
        """The client has the output of each node up to a number."""
        if id not in self._led:
            return
        kept = self._led[id].kept
        if kept is not None:
            kept.acknowledged(seq)
            seq = kept.both
        self._do_for(id, lambda leader: leader.acknowledge(seq))

    @request()
    def kill(self, call: Call, *, id: int, signum: int) -> None:
        """Signals all tasks of a job."""
        self._do_for(id, lambda leader: leader.signal(signum))

    @request("list")
    def list_jobs(self, call: Call) -> dict[str, Any]:
        """The jobs that were asked for here and are not over."""
        return {"jobs": [_described(led) for led in self._led.values()]}

    @request(allow=ALL)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """Jobs that this broker leads, and jobs with tasks here."""
        return super().stats_get(call) | {"led": len(self._led), "hosted": len(self._hosted)}

    # -- output that is kept ----------------------------------------------------------------------------------------

    def _keep(self, led: Led, key: str) -> None:
        """Opens the stream of a job, which begins then."""
        ntasks = led.leader.plan.ntasks
        kept = led.kept = Kept(ntasks)

        def told(response: Response) -> None:
            if response.errnum and not kept.begun:
                del self._led[led.leader.id]
                led.call.refuse(response.errnum, response.text())
            elif response.errnum:
                self._keep_no_more(led, "" if response.errnum == ENODATA else response.text() or "lost")
            else:
                begins = not kept.begun
                self._send_kept(led, kept.credited(response.body()["credits"]))
                if begins:
                    self._begin(led)
                else:
                    self._do(led, led.leader.acknowledge(kept.both))

        asked = {"key": key, "streams": list(STREAMS), "ranks": str(IDset(range(ntasks)))}
        led.keeping = self.send_request("stream.open", asked, told, flags=STREAMING)
        led.call.on_close = lambda: self._forget_opening(led)

    def _forget_opening(self, led: Led) -> None:
        """The client does not wait for the stream to be open."""
        self.forget_request(led.keeping)
        self.notify("stream.cancel", {"matchtag": led.keeping})
        self._led.pop(led.leader.id, None)

    def _send_kept(self, led: Led, messages: Iterable[dict[str, Any]]) -> None:
        for message in messages:
            self.notify("stream.write", {"matchtag": led.keeping, **message})

    def _keep_no_more(self, led: Led, why: str) -> None:
        """The stream has ended, or cannot be written any more, which the job does without."""
        kept, led.kept = led.kept, None
        if why:
            note = {"severity": NOTED, "type": "stream", "note": f"output is not kept any more: {why}", "tasks": ""}
            led.call.respond({"id": led.leader.id, "type": "exception", "data": note})
        if kept is not None:
            self._do(led, led.leader.acknowledge(kept.client))
        held, led.held = led.held, []
        self._do(led, held)

    # -- between brokers: the leader's side -------------------------------------------------------------------------

    @request()
    def attend(self, call: Call, *, id: int, node: int, attempt: int = 1) -> Later:
        """A node waits for the end of the job; were this broker to die, it would hear that too.

        To who takes a stream it is said at once that the job is there. What was held up on the way, and comes after
        the node has asked again, is of no interest any more.
        """
        led = self._find(id)
        if not led.leader.counts_on(node):
            raise OSError(ENOENT, f"{JobID(id)}: rank {self.host.rank} has given up node {node}")
        before = led.attending.get(node)
        if before is not None:
            if attempt <= before[0]:
                raise OSError(EEXIST, f"{JobID(id)}: node {node} has asked again")
            _settle(before[1])
        led.attending[node] = attempt, call
        if call.request.streaming:
            call.respond({})
        return LATER

    def _start(self, led: Led, start: Start) -> None:
        node, attempt = start.node, start.attempt

        def told(response: Response) -> None:
            if response.errnum:
                broken = led.leader.broken(node, attempt, response.errnum, response.text(), self.host.now())
                self._do(led, broken)
            else:
                said = response.body()
                self._do(led, led.leader.heard(node, attempt, said["type"], said["data"]))

        job = msgspec.to_builtins(msgspec.structs.replace(led.job, node=node))
        self.send_request("wreck.start", {"job": job, **start.data}, told, nodeid=start.rank, flags=STREAMING)

    def _ask(self, led: Led, ask: Ask) -> None:
        def told(response: Response) -> None:
            self._do(led, led.leader.asked(ask, response.errnum, self.host.now()))

        self.send_request(ask.topic, ask.data, told, nodeid=ask.rank)

    async def _again(self, led: Led, again: Again) -> None:
        await asyncio.sleep(again.pause)
        self._do(led, led.leader.again(again.node, again.attempt))

    def _do_for(self, id: int, what: Any) -> None:
        led = self._find(id)
        self._do(led, what(led.leader))

    def _do(self, led: Led, actions: Iterable[Action]) -> None:
        actions = iter(actions)
        for action in actions:
            match action:
                case Answer("finish") if led.kept is not None:
                    led.held = [action, *actions]
                    self._send_kept(led, led.kept.finish())
                case Answer(type, data):
                    if type == "output" and led.kept is not None:
                        self._send_kept(led, led.kept.output(data["node"], data["seq"], data["io"]))
                    led.call.respond({"id": led.leader.id, "type": type, "data": data})
                case Start():
                    self._start(led, action)
                case Ask():
                    self._ask(led, action)
                case Again():
                    self.run(self._again(led, action))
                case Release(node):
                    if node in led.attending:
                        _settle(led.attending.pop(node)[1])
                case Over():
                    self._forget(led)

    def _forget(self, led: Led) -> None:
        del self._led[led.leader.id]
        led.call.end()
        for _, call in led.attending.values():
            _settle(call)

    def _find(self, id: int) -> Led:
        if id not in self._led:
            raise OSError(ENOENT, f"{JobID(id)}: no such job")
        return self._led[id]

    # -- between brokers: a node's side -----------------------------------------------------------------------------

    @request("start", stream=True)
    def host_job(
        self, call: Call, *, job: Job, attempt: int = 1, resume: bool = False, after: int = 0, consumed: int = 0
    ) -> Later:
        """Starts the tasks of a job that belong here, and tells the leader all that becomes of them.

        If they are here already, it tells what the leader does not have: it has the output up to number `after`, its
        client that up to `consumed`. To `resume` they must be.
        """
        hosted = self._hosted.get(job.id)
        if hosted is not None:
            hosted.asked(call, attempt, after, consumed)
            return LATER
        if resume:
            raise OSError(ENOENT, "knows nothing of the job any more")
        hosted = self._host(job)
        hosted.asked(call, attempt, after, consumed)
        if job.leader == self.host.rank:
            hosted.released = True
            call.on_close = hosted.shell.end
        else:
            self._attend(hosted)
        error = self._bring_files(hosted)
        if error is not None:
            hosted.shell.refuse(error)
        else:
            self.run(hosted.shell.start())
        return LATER

    @request()
    def signal(self, call: Call, *, id: int, number: int, signum: int) -> None:
        """Signals the tasks here. As all orders, it is given again when it may be lost, and obeyed once."""
        self._order(id, number, lambda shell: shell.signal(signum))

    @request()
    def input(self, call: Call, *, id: int, number: int, io: dict[str, Any]) -> None:
        """Passes stdin to the tasks here."""
        self._order(id, number, lambda shell: shell.write(io))

    @request()
    def release(self, call: Call, *, id: int, number: int, pairs: dict[str, str]) -> None:
        """All nodes are in the PMI barrier that the tasks here have come to; these are everybody's pairs."""
        self._order(id, number, lambda shell: shell.release(pairs))

    @request()
    def end(self, call: Call, *, id: int, number: int) -> None:
        """Kills the tasks here; the job has failed."""
        self._order(id, number, Shell.end)

    @request()
    def consumed(self, call: Call, *, id: int, seq: int) -> None:
        """The client has our output up to a number."""
        if id in self._hosted:
            self._hosted[id].shell.acknowledge(seq)

    def _order(self, id: int, number: int, do: Callable[[Shell], None]) -> None:
        if id not in self._hosted:
            raise OSError(ENOENT, f"{JobID(id)}: no such job")
        hosted = self._hosted[id]
        hosted.obey(number, lambda: do(hosted.shell))

    def _host(self, job: Job) -> Hosted:
        tmpdir = self._make_tmpdir(job)
        level = int(self._attribute("instance-level") or 0) + 1
        path = self._attribute("jobid-path") or "/"
        cores = self.host.port("cores")() if job.cores else ()
        place = Place(self._attribute("local-uri"), tmpdir, self.host.hostname, level, cores, path)
        hosted = Hosted(job, tmpdir, self.host.hostname, self._patience, lambda: self._finished(hosted))
        hosted.shell = Shell(job, place, self.host.spawn, hosted.tell)
        self._hosted[job.id] = hosted
        return hosted

    @property
    def _busy(self) -> list[Hosted]:
        """The jobs with tasks here that are not over."""
        return [hosted for hosted in self._hosted.values() if not hosted.over]

    def _attend(self, hosted: Hosted, flags: int = 0) -> None:
        """Waits for the end of the job, of which the leader's broker tells, or its death."""

        def told(response: Response) -> None:
            if response.errnum == EHOSTUNREACH:
                self._attend_later(hosted)
            elif flags and not response.errnum:
                hosted.patience.heard()
            else:
                self._let_go(hosted)

        hosted.attempts += 1
        data = {"id": hosted.job.id, "node": hosted.job.node, "attempt": hosted.attempts}
        self.send_request("wreck.attend", data, told, nodeid=hosted.job.leader, flags=flags)

    def _attend_later(self, hosted: Hosted) -> None:
        """The leader cannot be reached, or the way to it is broken: it is looked for, for a while."""
        pause = hosted.patience.failed(self.host.now())
        if pause is not None:
            self.run(self._attend_after(pause, hosted))
            return
        if not hosted.over:
            self.log(
                LOG_WARNING, f"{hosted.job.name}: rank {hosted.job.leader}, who leads it, is lost: tasks are killed"
            )
        self._let_go(hosted)

    async def _attend_after(self, pause: float, hosted: Hosted) -> None:
        await asyncio.sleep(pause)
        self._attend(hosted, STREAMING)

    def _let_go(self, hosted: Hosted) -> None:
        """Nobody wants to know any more what becomes of the tasks."""
        hosted.released = True
        hosted.shell.end()
        if hosted.over:
            self._hosted.pop(hosted.job.id, None)

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

    def _bring_files(self, hosted: Hosted) -> OSError | None:
        """The files that the job has with it; returns why they cannot be there."""
        if hosted.job.options.files and not hosted.tmpdir:
            return OSError(ENOENT, "files: there is no temporary directory for the job")
        try:
            filetree.lay(hosted.tmpdir, hosted.job.options.files)
        except OSError as error:
            return error
        return None

    def _finished(self, hosted: Hosted) -> None:
        """Nothing more will come of the tasks. What they said is kept until the leader says that it has it all."""
        if hosted.released:
            self._hosted.pop(hosted.job.id, None)
        if not self._busy:
            self._none_left.set()
        tmpdir = hosted.tmpdir
        if tmpdir and not rundir.remove_empty(tmpdir):
            asyncio.get_running_loop().run_in_executor(None, rundir.remove, tmpdir)  # also if we are being unloaded

    # -- inside -----------------------------------------------------------------------------------------------------

    def _ranks(self, text: str) -> list[int]:
        try:
            ranks = list(IDset(text)) if text else [self.host.rank]
        except ValueError as error:
            raise OSError(EINVAL, f"ranks: {error}") from None
        if ranks and ranks[-1] >= self.host.size:
            raise OSError(EINVAL, f"rank {ranks[-1]}: this instance has ranks 0-{self.host.size - 1}")
        return ranks

    def _take_patience(self, text: str) -> None:
        try:
            self._patience = parse_fsd(text)
        except ValueError:
            raise OSError(EINVAL, f"{PATIENCE}: '{text}' is not a duration") from None

    def _attribute(self, name: str) -> str:
        with suppress(OSError):
            return self.host.attributes.get(name)
        return ""


def _settle(call: Call) -> None:
    """Lets a node go that attends: it is answered by the end of the stream if it takes one."""
    call.end() if call.request.streaming else call.respond()


def _described(led: Led) -> dict[str, Any]:
    made = led.leader.plan
    return {
        "id": led.leader.id,
        "state": led.leader.state,
        "ntasks": made.ntasks,
        "ranks": str(IDset(made.ranks)),
        "command": led.job.command,
    }
