"""One job that runs: what job-exec knows of it."""

from typing import Any

from flux.base.jobid import JobID
from flux.base.jobspec import Jobspec
from flux.base.rset import ResourceSet
from flux.modules.job_exec.logs import Logs
from flux.modules.job_exec.placing import Placing
from flux.modules.job_exec.redirection import Redirection
from flux.modules.job_exec.stdin import Stdin
from flux.modules.job_exec.support import exit_timeout, job_name, warning
from flux.wire.message import Request


class Execution:
    """One job that runs."""

    def __init__(
        self, asked: Request, id: int, userid: int, spec: Jobspec, resources: ResourceSet, placing: Placing, logs: Logs
    ) -> None:
        self.asked, self.id, self.userid, self.spec, self.resources = asked, id, userid, spec, resources
        self.ranks, self.taskmap, self.logs = *placing, logs
        where = spec.cwd, len(resources), self.taskmap.ntasks
        self.redirection = Redirection(spec.options, id, job_name(spec), *where)
        self.stdin = Stdin()
        self.exit_timeout = exit_timeout(spec)
        self.warning = warning(spec)
        self.tag = 0
        """The matchtag of its wreck.run, 0 while there is none."""
        self.failed = self.over = False
        self.numbers: dict[str, int] = {}
        """Up to which number each node's output was taken."""
        self.writing = 0
        """Pieces of output that are on their way to files."""
        self.status: int | None = None
        """What it has come to, while its files are not closed."""
        self.timers: dict[str, Any] = {}

    @property
    def service(self) -> str:
        """The service name of its shell."""
        return f"{self.userid}-shell-{JobID(self.id).f58plain}"

    def stop_timer(self, name: str) -> None:
        """It is not needed any more."""
        timer = self.timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def end(self) -> None:
        """It is over."""
        self.over = True
        for name in list(self.timers):
            self.stop_timer(name)
