"""job-ingest: takes submissions, many in one commit. On rank 0; requests of other ranks come up the tree."""

from errno import EINVAL, ENOSYS, EPERM, EPROTO
from typing import Any, ClassVar, NamedTuple

import msgspec

from flux.base import treeobj
from flux.base.config import Config
from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.base.jobids import JobIDs
from flux.base.jobspec import Jobspec
from flux.base.jobstate import DEFAULT, EXPEDITE, HOLD, NOVALIDATE, WAITABLE
from flux.modules.job_ingest import defaults, limits
from flux.modules.job_ingest.signed import unwrap
from flux.service import LATER, Call, Later, Service, request
from flux.service.kit import LOG_ERR
from flux.wire.message import OWNER, USER, Response

KNOWN_FLAGS = 2 | WAITABLE | NOVALIDATE


class Submission(NamedTuple):
    """One that is on its way."""

    call: Call
    id: int
    told: dict[str, Any]
    """What the manager is told of it."""


class JobIngest(Service):
    """Checks, numbers and writes down. A batch is what comes in one turn of the loop."""

    name: ClassVar[str] = "job-ingest"

    async def start(self) -> None:
        """Continues the ids of before a restart."""
        self._batch: list[Submission] = []
        self._ops: list[dict[str, Any]] = []
        self._ids = JobIDs(self.host.rank)
        self._began = float(self._attribute("broker.starttime") or self.host.wall())
        last = (await self.rpc("job-manager.getinfo"))["max_jobid"]
        self._ahead = max(0, (last >> 24) + 1 - self._milliseconds)

    def configured(self, config: Config) -> None:
        """Takes policies, queues and limits."""
        self._config = config.values

    def _attribute(self, name: str) -> str:
        try:
            return self.host.attributes.get(name)
        except OSError:
            return ""

    @property
    def _milliseconds(self) -> int:
        return int((self.host.wall() - self._began) * 1000)

    @request(allow=USER)
    def getinfo(self, call: Call) -> dict[str, Any]:
        """The clock of the ids, in milliseconds."""
        return {"timestamp": self._milliseconds + self._ahead}

    @request(allow=USER)
    def submit(self, call: Call, *, J: str, urgency: int = DEFAULT, flags: int = 0) -> Later:
        """Takes a job; answers with its id when it cannot be lost any more. OSError says what is wrong with it."""
        asked = call.request
        self._check(bool(asked.rolemask & OWNER), urgency, flags)
        text = unwrap(J, asked.userid)
        try:
            jobspec = msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise OSError(EINVAL, "jobspec is not JSON") from None
        if self._validated(jobspec, flags):
            text = msgspec.json.encode(jobspec)
        full = {"J": J.encode(), "jobspec": text}
        jobspec["attributes"]["system"].pop("environment", None)
        told = {"userid": asked.userid, "urgency": urgency, "flags": flags, "jobspec": jobspec}

        def checked(response: Response) -> None:
            """Whether it could ever run; without a scheduler that is not known."""
            if response.errnum not in (0, ENOSYS):
                call.refuse(response.errnum, response.text())
            else:
                self._take(call, full, told)

        self.send_request("feasibility.check", {"jobspec": jobspec}, checked)
        return LATER

    def _take(self, call: Call, full: dict[str, bytes], told: dict[str, Any]) -> None:
        id = self._ids.next(self._milliseconds + self._ahead)
        key = JobID(id).kvs
        for name, value in full.items():
            self._ops.append({"key": f"{key}.{name}", "flags": 0, "dirent": treeobj.val(value)})
        self._batch.append(Submission(call, id, told | {"id": id, "t_submit": self.host.wall()}))
        if len(self._batch) == 1:
            self.host.after(0, self._send)

    def _check(self, owner: bool, urgency: int, flags: int) -> None:
        if flags & ~KNOWN_FLAGS:
            raise OSError(EPROTO, f"unknown flags {flags & ~KNOWN_FLAGS}")
        if not HOLD <= urgency <= EXPEDITE:
            raise OSError(EINVAL, f"urgency {urgency} is out of range")
        if owner:
            return
        if urgency > DEFAULT:
            raise OSError(EINVAL, f"only the instance owner can submit with urgency >{DEFAULT}")
        if flags & WAITABLE:
            raise OSError(EINVAL, "only the instance owner can submit with FLUX_JOB_WAITABLE")
        if flags & NOVALIDATE:
            raise OSError(EPERM, "only the instance owner can submit with FLUX_JOB_NOVALIDATE")

    def _validated(self, jobspec: Any, flags: int) -> bool:
        """Completes and checks a jobspec; says whether it was completed."""
        try:
            before = msgspec.json.encode(jobspec) if self._config.get("queues") or self._config.get("policy") else b""
            if before and isinstance(jobspec, dict):
                defaults.complete(jobspec, self._config)
            spec = Jobspec.parse(jobspec)
            if not before and spec.queue:
                defaults.complete(jobspec, self._config)
            if not flags & NOVALIDATE:
                limits.check(spec, self._config)
        except Invalid as error:
            raise OSError(EINVAL, str(error)) from None
        return bool(before) and before != msgspec.json.encode(jobspec)

    # -- on their way -----------------------------------------------------------------------------------------------

    def _send(self) -> None:
        """Writes a batch down, and hands it to the manager: both at once, into one root of the key-value store."""
        batch, self._batch = self._batch, []
        ops, self._ops = self._ops, []
        arrival = Arrival(self, batch)
        self.send_request("kvs.commit", {"ops": ops, "namespace": "primary", "flags": 0}, arrival.stored)
        self.send_request("job-manager.submit", {"jobs": [one.told for one in batch]}, arrival.taken)


class Arrival:
    """A batch that waits for the key-value store and for the manager."""

    def __init__(self, service: JobIngest, batch: list[Submission]) -> None:
        self._service, self._batch = service, batch
        self._left = 2
        self._why = ""
        self._refused: dict[int, str] = {}

    def stored(self, response: Response) -> None:
        """The store has answered."""
        if response.errnum:
            self._why = f"could not be stored: {response.text()}"
        self._done()

    def taken(self, response: Response) -> None:
        """The manager has."""
        if response.errnum:
            self._why = "there is no job manager" if response.errnum == ENOSYS else response.text() or "refused"
        else:
            self._refused = dict(response.body().get("errors", ()))
        self._done()

    def _done(self) -> None:
        self._left -= 1
        if self._left:
            return
        gone = []
        for call, id, _ in self._batch:
            why = self._why or self._refused.get(id, "")
            if why:
                gone.append({"key": JobID(id).kvs, "flags": 0, "dirent": None})
                call.refuse(EINVAL, why)
            else:
                call.respond({"id": id})
        if gone:
            self._service.send_request("kvs.commit", {"ops": gone, "namespace": "primary", "flags": 0}, self._cleared)

    def _cleared(self, response: Response) -> None:
        if response.errnum:
            self._service.log(LOG_ERR, f"what was refused could not be removed: {response.text()}")
