"""job-exec: runs jobs for the job manager (RFC 32) by `wreck`, and writes down what they say. Rank 0 only."""

from errno import ENOENT, ENOSYS, EPERM, EPROTO
from typing import Any, ClassVar

import msgspec

from flux.base import treeobj
from flux.base.config import Config
from flux.base.duration import parse_fsd
from flux.base.invalid import Invalid
from flux.base.iodata import decode, size
from flux.base.jobid import JobID
from flux.base.jobspec import Jobspec
from flux.base.rset import ResourceSet
from flux.modules.job_exec.execution import Execution
from flux.modules.job_exec.logs import STREAMS, Logs
from flux.modules.job_exec.placing import placed
from flux.modules.job_exec.support import REMARK, job_name, options, remarks, unbuffered
from flux.runtime import filetree
from flux.service import Call, Service, event, request
from flux.service.kvswriter import KvsWriter
from flux.wire.message import OWNER, STREAMING, USER, Event, Message, Request, Response

SIGTERM, SIGKILL, SIGALRM = 15, 9, 14
KILL_TIMEOUT = 5.0
"""Seconds from a job's fatal exception to the signal KILL."""


class JobExec(Service):
    """One Execution for each job that runs."""

    name: ClassVar[str] = "job-exec"

    def configured(self, config: Config) -> None:
        """Takes `exec.kill-timeout` (flux-config-exec(5))."""
        text = str(config.values.get("exec", {}).get("kill-timeout", KILL_TIMEOUT))
        try:
            self._kill_timeout = parse_fsd(text)
        except ValueError:
            raise config.complaint(("exec", "kill-timeout"), f"{text} is not a duration") from None

    async def start(self) -> None:
        """Says that it executes jobs."""
        self._jobs: dict[int, Execution] = {}
        self._services: dict[str, Execution] = {}
        self._writer = KvsWriter(self)
        await self.rpc("job-manager.exec-hello", {"service": "job-exec"})

    async def stop(self) -> None:
        """All that was said is written down."""
        await self._writer.end()

    @request("start")
    def start_job(
        self,
        call: Call,
        *,
        id: int,
        userid: int,
        jobspec: dict[str, Any],
        R: dict[str, Any],
        reattach: bool = False,
    ) -> None:
        """Starts a job; what becomes of it is told without a matchtag."""
        asked = call.request
        call.abandon()
        try:
            spec, resources = Jobspec.parse(jobspec), ResourceSet.parse(R)
            placing = placed(spec, resources)
            logs = Logs(JobID(id).kvs, placing.taskmap.ntasks, self._writer.writes)
            job = Execution(asked, id, userid, spec, resources, placing, logs)
        except (Invalid, OSError) as error:
            self._tell(asked, id, "exception", {"severity": 0, "type": "exec", "note": str(error)})
            self._tell(asked, id, "release", {"ranks": "all", "final": True})
            return
        self._jobs[id] = job
        for remark in remarks(job.spec):
            self._tell(asked, id, "exception", {"severity": REMARK, "type": "exec", "note": remark})
        self._log(job, "init")
        expiration = job.resources.expiration
        if expiration:
            self._expire(job, expiration)
        test = job.spec.system.get("exec", {}).get("test")
        if test is not None:
            self._pretend(job, test)
        else:
            self._fetch(job)

    # -- real tasks -------------------------------------------------------------------------------------------------

    def _fetch(self, job: Execution) -> None:
        """Environment and files are not in what the manager tells: they are in the key-value store."""

        def told(response: Response) -> None:
            if job.over:
                return
            if response.errnum:
                self._refuse(job, f"no jobspec: {response.text()}")
                return
            jobspec = msgspec.json.decode(treeobj.value_of(response.body()["val"]))
            self._run(job, jobspec["attributes"]["system"])

        key = f"{JobID(job.id).kvs}.jobspec"
        self.send_request("kvs.lookup", {"key": key, "flags": 0, "namespace": "primary"}, told)

    def _run(self, job: Execution, system: dict[str, Any]) -> None:
        try:
            wanted = options(job.spec, job.resources, job.ranks, system.get("files") or {})
            for name, entry in wanted.files.items():
                filetree.check(name, entry)
        except OSError as error:
            self._refuse(job, str(error.strerror))
            return
        environment = system.get("environment") or {}
        asked = {
            "id": job.id,
            "command": list(job.spec.command),
            "environment": {name: value for name, value in environment.items() if value is not None},
            "cwd": job.spec.cwd,
            "ranks": ",".join(map(str, job.ranks)),
            "taskmap": job.taskmap.to_json(),
            "unbuffered": unbuffered(job.spec),
            "options": msgspec.to_builtins(wanted),
        }
        stream = job.spec.options.get("stream")
        if isinstance(stream, str):
            asked["stream"] = stream
        self._log(job, "starting")
        job.logs.header(self.host.wall())
        for name in STREAMS:
            if job.redirection.redirects(name):
                job.logs.redirected(self.host.wall(), name, job.redirection.common(name) or "")
        if wanted.input:
            job.logs.input_redirected(self.host.wall(), wanted.input)
        job.tag = self.send_request("wreck.run", asked, lambda response: self._heard(job, response), flags=STREAMING)
        self._serve_shell(job)

    def _heard(self, job: Execution, response: Response) -> None:
        if response.errnum:
            if not job.over and job.status is None:
                self._refuse(job, response.text() or "wreck has ended")
            return
        told = response.body()
        data = told["data"]
        match told["type"]:
            case "accept":
                where = {"service": job.service, "leader-rank": self.host.rank, "size": len(job.resources)}
                self._log(job, "shell.init", where)
                self._log(job, "shell.start", {"taskmap": data["taskmap"]})
            case "start":
                self._tell(job.asked, job.id, "start", {})
                if job.failed:
                    self._kill(job, SIGTERM)
            case "output":
                self._output(job, data)
            case "add-credit":
                job.stdin.credit(data["channels"]["stdin"])
                self._pass_on(job)
            case "exited":
                self._log(job, "shell.task-exit", data)
                self._one_has_exited(job, data)
            case "exception" if not job.failed:
                self._tell(job.asked, job.id, "exception", {key: data[key] for key in ("severity", "type", "note")})
            case "finish":
                self._close(job, shell_status(data["status"]))

    def _one_has_exited(self, job: Execution, task: dict[str, Any]) -> None:
        """The others may run on for a while (exit-timeout), or not at all (exit-on-error)."""
        if job.taskmap.ntasks == 1 or job.failed:
            return
        who = f"{job_name(job.spec)}: task rank {task['rank']}"
        status = task["wait_status"]
        if status and job.spec.options.get("exit-on-error"):
            self._fail(job, f"{who} failed ({said(status)}) and exit-on-error is set")
        elif job.exit_timeout is not None:
            note = f"{who} exited ({said(status)}) and exit-timeout={job.exit_timeout:g}s has expired"
            job.timers["exit"] = self.host.after(job.exit_timeout, lambda: self.guarded(self._fail, job, note))

    def _fail(self, job: Execution, note: str) -> None:
        if not job.failed and not job.over and job.status is None:
            self._tell(job.asked, job.id, "exception", {"severity": 0, "type": "exec", "note": note})

    def _output(self, job: Execution, data: dict[str, Any]) -> None:
        io = data["io"]
        if job.redirection.redirects(io["stream"]):
            self._to_file(job, data)
            return
        job.logs.output(self.host.wall(), io, size(io))
        if not job.numbers:
            self._writer.writes.then(lambda why: self._acknowledge(job))
        job.numbers[str(data["node"])] = data["seq"]
        self._writer.soon()

    def _to_file(self, job: Execution, data: dict[str, Any]) -> None:
        """A piece goes to a file; where it came from it is kept until it is there."""
        piece, task = decode(data["io"]), str(data["io"]["rank"])
        path, text = job.redirection.take(piece.stream, task, piece.data, end=piece.end)
        if piece.end:
            job.logs.output(self.host.wall(), data["io"] if not piece.data else end_of(data["io"]), 0)
            self._writer.soon()

        def told(error: OSError | None) -> None:
            job.writing -= 1
            if error is not None and not job.failed and not job.over:
                job.failed = True
                self._kill(job, SIGKILL)
                told_of = {"severity": 0, "type": "exec", "note": str(error.strerror)}
                self._tell(job.asked, job.id, "exception", told_of)
            if not job.over:
                self.notify("wreck.ack", {"id": job.id, "seq": {str(data["node"]): data["seq"]}})
            self._end_if_written(job)

        job.writing += 1
        self.host.port("outfiles").write(path, text, lambda error: self.guarded(told, error))

    def _close(self, job: Execution, status: int) -> None:
        """All tasks have ended; the job has when its files are closed."""
        job.status = status
        for path in job.redirection.paths:
            job.writing += 1

            def told(error: OSError | None) -> None:
                job.writing -= 1
                self._end_if_written(job)

            self.host.port("outfiles").close(path, lambda error, told=told: self.guarded(told, error))
        self._end_if_written(job)

    def _end_if_written(self, job: Execution) -> None:
        if job.status is not None and not job.writing:
            self._finished(job, job.status)

    def _acknowledge(self, job: Execution) -> None:
        """What is written down need not be kept where it came from."""
        numbers, job.numbers = job.numbers, {}
        if not job.over:
            self.notify("wreck.ack", {"id": job.id, "seq": numbers})

    # -- its shell's service ----------------------------------------------------------------------------------------

    def deliver(self, msg: Message) -> None:
        """What is asked of a job's shell (`UID-shell-ID`) is asked of us."""
        if isinstance(msg, Request):
            job = self._services.get(msg.topic.partition(".")[0])
            if job is not None:
                self._asked_of_shell(job, msg)
                return
        super().deliver(msg)

    def _serve_shell(self, job: Execution) -> None:
        self._services[job.service] = job
        self.host.port("neighbours").register(job.service, self.id)

    def _asked_of_shell(self, job: Execution, msg: Request) -> None:
        """To write to its tasks is all that can be asked (`stdin`, RFC 24)."""
        call = Call(msg, self.send)
        try:
            if msg.userid != job.userid and not msg.rolemask & OWNER:
                raise OSError(EPERM, f"{JobID(job.id)}: not your job")
            if not msg.topic.endswith(".stdin"):
                raise OSError(ENOSYS, f"Unknown service method '{msg.topic}'")
            job.stdin.put(msg.body(), call)
        except OSError as error:
            call.refuse(error.errno or EPROTO, error.strerror or "")
            return
        self.guarded(self._pass_on, job)

    def _pass_on(self, job: Execution) -> None:
        """Gives the tasks what they can take of their input."""
        for piece in job.stdin.go():
            self.notify("wreck.write", {"id": job.id, "io": piece.io})
            job.logs.input(self.host.wall(), piece.io, piece.size)
            self._writer.soon()
            piece.answer.respond()

    def _unserve_shell(self, job: Execution) -> None:
        if self._services.pop(job.service, None) is not None:
            self.host.port("neighbours").unregister(job.service, self.id)
        for piece in job.stdin.left():
            piece.answer.refuse(ENOENT, f"{JobID(job.id)}: its tasks have ended")

    # -- pretended ones ---------------------------------------------------------------------------------------------

    def _pretend(self, job: Execution, test: dict[str, Any]) -> None:
        """Runs nothing, for so long (`system.exec.test.run_duration`)."""
        duration = test.get("run_duration", "0s")
        seconds = parse_fsd(duration) if isinstance(duration, str) else float(duration)
        self._log(job, "starting")
        self._tell(job.asked, job.id, "start", {})
        status = int(test.get("wait_status", 0))
        job.timers["run"] = self.host.after(seconds, lambda: self.guarded(self._finished, job, status))

    # -- the end ----------------------------------------------------------------------------------------------------

    def _refuse(self, job: Execution, note: str) -> None:
        """It could not be run, or not to its end."""
        if not job.failed:
            self._tell(job.asked, job.id, "exception", {"severity": 0, "type": "exec", "note": note})
        self._finished(job, 1 << 8)

    def _finished(self, job: Execution, status: int) -> None:
        if job.over:
            return
        job.end()
        self._unserve_shell(job)
        if job.tag:
            job.logs.end(self.host.wall())
        self._log(job, "complete", {"status": status})
        self._log(job, "done")
        self._writer.write()  # before the manager can write that the job is clean
        self._tell(job.asked, job.id, "finish", {"status": status})
        del self._jobs[job.id]
        self._tell(job.asked, job.id, "release", {"ranks": "all", "final": True})

    # -- what others want -------------------------------------------------------------------------------------------

    @event("job-exception")
    def excepted(self, event: Event) -> None:
        """A job has an exception: if it is fatal, its tasks end."""
        told = event.body()
        job = self._jobs.get(told["id"])
        if job is None or told["severity"] or job.failed:
            return
        job.failed = True
        if not job.tag:
            status = told.get("wait_status", SIGTERM)
            self._finished(job, status)
            return
        self._kill(job, SIGTERM)
        job.timers["kill"] = self.host.after(self._kill_timeout, lambda: self.guarded(self._kill, job, SIGKILL))

    @event("shell-")
    def signalled(self, event: Event) -> None:
        """Somebody signals the tasks of a job (shell-ID.kill)."""
        id, _, what = event.topic.removeprefix("shell-").partition(".")
        job = self._jobs.get(int(id)) if id.isdecimal() else None
        if job is not None and what == "kill":
            self._kill(job, event.body()["signum"])

    def _kill(self, job: Execution, signum: int) -> None:
        if job.tag:
            self.notify("wreck.kill", {"id": job.id, "signum": signum})

    @request()
    def expiration(self, call: Call, *, id: int, expiration: float) -> None:
        """A job ends at another time."""
        job = self._jobs.get(id)
        if job is None:
            raise OSError(ENOENT, f"{JobID(id)}: no such job")
        self._expire(job, expiration)

    def _expire(self, job: Execution, expiration: float) -> None:
        job.stop_timer("expiry")
        job.stop_timer("warning")
        if not expiration:
            return
        seconds = max(0.0, expiration - self.host.wall())
        job.timers["expiry"] = self.host.after(seconds, lambda: self.guarded(self._timed_out, job))
        if job.warning is not None and job.warning[1] < seconds:
            signum, left = job.warning
            job.timers["warning"] = self.host.after(seconds - left, lambda: self.guarded(self._kill, job, signum))

    def _timed_out(self, job: Execution) -> None:
        if job.failed or job.over:
            return
        self._kill(job, SIGALRM)
        note = "resource allocation expired"
        self._tell(job.asked, job.id, "exception", {"severity": 0, "type": "timeout", "note": note})

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """The jobs that run."""
        jobs = {JobID(id).f58plain: {"total_shells": len(job.resources)} for id, job in self._jobs.items()}
        return super().stats_get(call) | {"jobs": jobs}

    # -- inside -----------------------------------------------------------------------------------------------------

    def _tell(self, asked: Request, id: int, type: str, data: dict[str, Any]) -> None:
        told = {"id": id, "type": type, "data": data}
        self.send(Response(asked.userid, asked.rolemask, STREAMING, asked.topic, told, 0, 0, asked.route))

    def _log(self, job: Execution, name: str, context: dict[str, Any] | None = None) -> None:
        job.logs.event(self.host.wall(), name, context)
        self._writer.soon()


def end_of(io: dict[str, Any]) -> dict[str, Any]:
    """That a stream has ended, without what was said last."""
    return {"stream": io["stream"], "rank": io["rank"], "eof": True}


def said(status: int) -> str:
    """How a task has ended, by its wait status."""
    signum = status & 127
    return f"Signal {signum}" if signum else f"Exit {status >> 8}"


def shell_status(status: int) -> int:
    """The wait status of a shell whose task has that one: it exits with 128 and the signal (RFC 21)."""
    signum = status & 127
    return (128 + signum) << 8 if signum else status
