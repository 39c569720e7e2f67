"""One job on one node: starts its tasks, passes on what they say and hear, tells how they ended."""

import asyncio
from errno import EACCES, ECANCELED, EIO
from typing import Any

from flux.base.iodata import decode
from flux.base.mustache import job_tags, render, task_tags
from flux.service.ports import Conditions, Spawn
from flux.shell.binding import cpus
from flux.shell.environment import node_environment, task_environment, visible_gpus
from flux.shell.exits import Exits
from flux.shell.input import Credits
from flux.shell.job import Job
from flux.shell.output import Output
from flux.shell.place import Place
from flux.shell.pmi import CHANNEL, TaskPMI
from flux.shell.report import Report, Tell
from flux.shell.task import Task
from flux.wire.message import BadMessage
from flux.wire.pmi import Abort, Action, Enter, Reply

SIGKILL = 9
ENDING = frozenset((1, 2, 3, SIGKILL, 15))
"""HUP, INT, QUIT, KILL and TERM: what is sent to a job that should end."""


class Shell:
    """Hosts the tasks of one job on one node. The Ears of its tasks."""

    def __init__(self, job: Job, place: Place, spawn: Spawn, tell: Tell) -> None:
        self.job = job
        ranks = list(job.map().taskids(job.node))
        self.tasks = [Task(rank, local, self) for local, rank in enumerate(ranks)]
        self._by_rank = {task.rank: task for task in self.tasks}
        self.finished = False
        self._place, self._spawn = place, spawn
        self._output = Output(job.window, unbuffered=job.unbuffered)
        self.report = Report(self._output, tell)
        self._credits = Credits(ranks)
        self._taken = 0
        """Bytes of stdin that all tasks have taken."""
        self._round = 0
        """PMI barriers of the whole job that the tasks here have come to."""
        self._pmi = TaskPMI(job, ranks, place.level)
        self._exits = Exits()
        self._signals: list[int] = []
        """What came before the tasks did."""
        self._starting = True
        self._ended = self._exited = False

    # -- from the leader --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Starts the tasks, all or none."""
        env = node_environment(self.job, self._place)
        options = self.job.options
        bound = cpus(options.cpu_affinity, self.job.cores, self._place.cores, len(self.tasks))
        gpus = visible_gpus(self.job, len(self.tasks))
        outcomes = await asyncio.gather(
            *(
                self._start(task, env | visible, Conditions(limits=options.limits, cpus=own, input=options.input))
                for task, visible, own in zip(self.tasks, gpus, bound, strict=True)
            )
        )
        self._starting = False
        failures = [outcome for outcome in outcomes if outcome is not None]
        if failures:
            self._failed(failures[0])
        elif self._ended:
            self.end()
        else:
            self.report.say("started", {"pids": [task.process.pid for task in self.tasks if task.process]})
            for signum in self._signals:
                self.signal(signum)
        self._finish_if_over()

    def refuse(self, error: OSError) -> None:
        """There is something that its tasks cannot be started without."""
        self._starting = False
        self._failed(error)
        self._finish_if_over()

    def signal(self, signum: int) -> None:
        """Signals all tasks, once all of them run."""
        if self._starting:
            self._signals.append(signum)
            return
        for task in self.tasks:
            task.kill(signum)
        if signum in ENDING and all(task.status is not None for task in self.tasks):
            self.end()  # all that is left is who holds their output open, and has left the groups that signals reach

    def end(self) -> None:
        """Kills all tasks; nothing that they might still write is waited for."""
        self._ended = True
        if not self._starting:
            for task in self.tasks:
                task.end()

    def give_up(self, note: str) -> None:
        """Kills all tasks, and says why: nobody has asked for it."""
        self.report.say("failed", {"errnum": ECANCELED, "note": note, "status": SIGKILL})
        self.end()

    def write(self, context: dict[str, Any]) -> None:
        """Passes stdin (RFC 24) to all tasks. OSError(EPROTO) if it makes no sense."""
        piece = decode(context)
        for task in self.tasks:
            task.write("stdin", piece.data, eof=piece.end)

    def acknowledge(self, number: int) -> None:
        """The client has the output up to that number."""
        if self._output.acknowledge(number):
            for task in self.tasks:
                task.flow(True)

    def release(self, pairs: dict[str, str]) -> None:
        """A PMI barrier of the whole job is complete; these are the pairs that all nodes have brought."""
        self.report.unsay("enter")
        self._serve(self._pmi.release(pairs))

    # -- from the tasks ---------------------------------------------------------------------------------------------

    def wrote(self, task: Task, stream: str, data: bytes) -> None:
        """A task wrote something, or ended a stream (b"")."""
        was_full = self._output.full
        for chunk in self._output.take(task.rank, stream, data):
            self.report.output(chunk)
        if self._output.full and not was_full:
            for other in self.tasks:
                other.flow(False)

    def asked(self, task: Task, data: bytes) -> None:
        """A task speaks to its PMI server."""
        try:
            self._serve(self._pmi.receive(task.rank, data))
        except BadMessage:
            task.write(CHANNEL, b"", eof=True)

    def took(self, task: Task, count: int) -> None:
        """A task read some of its stdin."""
        self._grant(self._credits.took(task.rank, count))

    def over(self, task: Task) -> None:
        """Nothing more will come of a task."""
        self._exits.add(task.rank, task.status or 0)
        if not self._exited:
            self._exited = True
            self._tell_first(task)
        self._grant(self._credits.left(task.rank))
        if not self._starting:  # it is first said that they have started, however short they were
            self._finish_if_over()

    # -- inside -----------------------------------------------------------------------------------------------------

    async def _start(self, task: Task, env: dict[str, str], conditions: Conditions) -> OSError | None:
        job, own = self.job, task_environment(env, task.rank, task.local)
        command = [self._rendered(word, task) if "{{" in word else word for word in job.command]
        try:
            task.process = await self._spawn(
                command, task, env=own, cwd=job.cwd, channels=(CHANNEL,), conditions=conditions
            )
        except OSError as error:
            return error
        if self._output.full:
            task.flow(False)
        return None

    def _rendered(self, word: str, task: Task) -> str:
        """Tags in the command (flux-shell(1), mustache templates)."""
        job, node = self.job, self.job.node
        tags = job_tags(job.id, job.options.name, job.nnodes, job.map().ntasks)
        tags |= task_tags(task.rank, task.local, node, job.ranks[node]) | {"tmpdir": self._place.tmpdir}
        return render(word, tags, lambda tag: None)

    def _failed(self, error: OSError) -> None:
        """A task could not be started, so that the others must not run."""
        code = 126 if error.errno == EACCES else 127
        note = error.strerror or str(error)
        self.report.say("failed", {"errnum": error.errno or EIO, "note": note, "status": code << 8})
        for task in self.tasks:
            if task.process is None:
                task.is_over = True
                self._exits.add(task.rank, code << 8)
        self.end()

    def _serve(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Reply(rank, line):
                    self._by_rank[rank].write(CHANNEL, line)
                case Enter(pairs) if self.job.nnodes == 1:
                    self.release(pairs)
                case Enter(pairs):
                    self._round += 1
                    self.report.say("enter", {"round": self._round, "pairs": pairs})
                case Abort(rank, code, text):
                    note = f"task {rank} called PMI_Abort{': ' + text if text else ''}"
                    self.report.say("failed", {"errnum": ECANCELED, "note": note, "status": (code & 255) << 8})

    def _tell_first(self, task: Task) -> None:
        """The first of the tasks here has ended, which the others may not be left to for long (exit-timeout)."""
        pid = task.process.pid if task.process is not None else 0
        told = {"rank": task.rank, "localid": task.local, "pid": pid, "wait_status": task.status or 0}
        self.report.say("exited", {**told, "state": "Exited"})

    def _grant(self, count: int) -> None:
        if count:
            self._taken += count
            self.report.say("credit", {"taken": self._taken})

    def _finish_if_over(self) -> None:
        if not self.finished and all(task.is_over for task in self.tasks):
            self.finished = True
            # Who left its group, and closed its output, is still of this job.
            self._spawn.finish({"FLUX_JOB_ID": self.job.name.f58, "FLUX_URI": self._place.uri})
            self.report.finish(self._exits.report())
