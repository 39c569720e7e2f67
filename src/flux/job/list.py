"""Lists of jobs (RFC 43; flux_job_list(3), flux-jobs(1))."""

import os
import pwd
from collections.abc import Iterable, Iterator, Mapping, Sequence
from errno import ENODATA, ENOENT
from typing import TYPE_CHECKING, Any, ClassVar

from flux.base.jobid import JobID
from flux.base.jobstate import Result, State
from flux.constants import FLUX_RPC_STREAMING, FLUX_USERID_UNKNOWN
from flux.future import WaitAllFuture
from flux.job.info import JobInfo
from flux.rpc import RPC

if TYPE_CHECKING:
    from flux.core.handle import Flux

LIST, LIST_ID = "job-list.list", "job-list.list-id"
ALL = ("all",)
MOST = 1000
"""How many jobs a list has, unless more are asked for."""

# -- some jobs --------------------------------------------------------------------------------------------------------


def listing(
    max_entries: int = MOST,
    attrs: Sequence[str] = ALL,
    userid: int | None = None,
    states: int = 0,
    results: int = 0,
    since: float = 0.0,
    name: str | None = None,
    queue: str | Iterable[str] | None = None,
    constraint: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The payload of LIST."""
    wanted: list[Any] = [] if constraint is None else [constraint]
    userid = os.getuid() if userid is None else userid
    if userid != FLUX_USERID_UNKNOWN:
        wanted.append({"userid": [userid]})
    if name:
        wanted.append({"name": [name]})
    if queue:
        wanted.append({"queue": [queue] if isinstance(queue, str) else list(queue)})
    either = [{kind: [int(mask)]} for kind, mask in (("states", states), ("results", results)) if mask]
    if either:
        wanted.append({"or": either} if len(either) > 1 else either[0])
    return {"max_entries": int(max_entries), "attrs": list(attrs), "since": since, "constraint": {"and": wanted}}


class JobListRPC(RPC):
    """Jobs that are asked for. `job_list` makes one."""

    _jobs: list[dict[str, Any]] | None = None

    def get_jobs(self) -> list[dict[str, Any]]:
        """The jobs as they come, a dict each. OSError: EINVAL for a bad constraint or attribute."""
        if self._jobs is None:
            self._jobs = list(self._all())
        return self._jobs

    def get_jobinfos(self) -> Iterator[JobInfo]:
        """Yields the jobs, a `JobInfo` each."""
        return map(JobInfo, self.get_jobs())

    def _all(self) -> Iterator[dict[str, Any]]:
        while True:
            try:
                told = self.get()
            except OSError as error:
                if error.errno == ENODATA:
                    self.stop()  # a callback has had all of them by now
                    return
                raise
            yield from told["jobs"]
            self.reset()


def job_list(
    flux_handle: "Flux",
    max_entries: int = MOST,
    attrs: Sequence[str] = ALL,
    userid: int | None = None,
    states: int = 0,
    results: int = 0,
    since: float = 0.0,
    name: str | None = None,
    queue: str | Iterable[str] | None = None,
    constraint: Mapping[str, Any] | None = None,
) -> JobListRPC:
    """Asks for jobs: those that wait first, by priority, then those that run, then those that are over, newest first.

    At most `max_entries` (0: all), with these `attrs` ("all", or names: see `job_fields_to_attrs`). Only those of a
    user (by default one's own; FLUX_USERID_UNKNOWN: everybody's), in one of `states` or with one of `results` (masks
    of FLUX_JOB_STATE_*, FLUX_JOB_RESULT_*), active after `since` (seconds since 1970), with a `name`, of a `queue` or
    several, and that match a `constraint` (RFC 43). Returns a future, whose `get_jobs` gives dicts, `get_jobinfos`
    `JobInfo` objects (flux_job_list(3)).
    """
    asked = listing(max_entries, attrs, userid, states, results, since, name, queue, constraint)
    return JobListRPC(flux_handle, LIST, asked, flags=FLUX_RPC_STREAMING)


def job_list_inactive(
    flux_handle: "Flux",
    since: float = 0.0,
    max_entries: int = MOST,
    attrs: Sequence[str] = ALL,
    name: str | None = None,
    queue: str | Iterable[str] | None = None,
    constraint: Mapping[str, Any] | None = None,
) -> JobListRPC:
    """As `job_list`, of everybody's jobs that are over."""
    everybody, over = FLUX_USERID_UNKNOWN, int(State.INACTIVE)
    return job_list(flux_handle, max_entries, attrs, everybody, over, 0, since, name, queue, constraint)


# -- one job ----------------------------------------------------------------------------------------------------------


class JobListIdRPC(RPC):
    """A job that is asked for. `job_list_id` makes one."""

    jobid: int | str = 0
    """As it was asked for."""

    def get_job(self) -> dict[str, Any]:
        """The job as it comes. OSError(ENOENT) for an unknown one."""
        return dict(self.get()["job"])

    def get_jobinfo(self) -> JobInfo:
        """The job as a `JobInfo`. OSError(ENOENT) for an unknown one."""
        return JobInfo(self.get_job())


def job_list_id(flux_handle: "Flux", jobid: int | str, attrs: Sequence[str] = ALL) -> JobListIdRPC:
    """Asks for one job, with these `attrs`, as for `job_list` (RFC 43; flux_job_list_id(3)).

    Returns a future: `get_job` gives a dict, `get_jobinfo` a `JobInfo`. OSError(ENOENT) for an unknown job.
    """
    made = JobListIdRPC(flux_handle, LIST_ID, {"id": JobID(jobid), "attrs": list(attrs)})
    made.jobid = jobid
    return made


def get_job(flux_handle: "Flux", jobid: int | str) -> dict[str, Any] | None:
    """What is known of a job, as a dict (see `JobInfo.to_dict`); "" or 0 is not known. None without such a job."""
    try:
        return job_list_id(flux_handle, jobid).get_jobinfo().to_dict(filtered=False)
    except FileNotFoundError:
        return None


class JobListIdsFuture(WaitAllFuture):
    """Several jobs that are asked for one by one; who is not there is in `errors`."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []

    def get_jobs(self) -> list[dict[str, Any]]:
        """Those that are there, as they come."""
        self.wait_for()
        jobs = []
        for child in self.children:
            assert isinstance(child, JobListIdRPC)
            try:
                jobs.append(child.get_job())
            except OSError as error:
                self.errors.append(unknown(child.jobid, error))
        return jobs

    def get_jobinfos(self) -> list[JobInfo]:
        """Those that are there, a `JobInfo` each."""
        return [JobInfo(job) for job in self.get_jobs()]


def unknown(jobid: int | str, error: OSError) -> str:
    """Says that there is no such job, or what else went wrong."""
    known = JobID(jobid).orig
    return f"JobID {known} unknown" if error.errno == ENOENT else f"rpc: {error.strerror}"


# -- the same for people ----------------------------------------------------------------------------------------------


class JobList:
    """A list of jobs that is put together step by step, with words instead of masks."""

    STATES: ClassVar[dict[str, int]] = {
        name.lower(): int(state) for name, state in State.__members__.items() if name != "NEW"
    }
    RESULTS: ClassVar[dict[str, int]] = {result.name.lower(): int(result) for result in Result}

    def __init__(
        self,
        flux_handle: "Flux",
        attrs: Sequence[str] = ALL,
        filters: Iterable[str] = (),
        ids: Iterable[int | str] = (),
        user: int | str | None = None,
        max_entries: int = MOST,
        since: float = 0.0,
        name: str | None = None,
        queue: str | Iterable[str] | None = None,
        constraint: Mapping[str, Any] | None = None,
    ) -> None:
        """`filters` are names of states and results ("pending", "running", "failed", ...), `ids` jobs (then nothing
        else counts), `user` a name, a number or "all" (by default one's own jobs); the rest is as for `job_list`.
        ValueError names a filter, job or user that cannot be."""
        self.handle = flux_handle
        self.attrs = list(attrs)
        self.states = self.results = 0
        self.max_entries, self.since, self.name, self.queue = max_entries, since, name, queue
        self.constraint = constraint
        self.ids = [JobID(id) for id in ids]
        self.errors: list[str] = []
        """What went wrong with single jobs, after `jobs`."""
        for word in (word for text in filters for word in text.split(",")):
            self.add_filter(word)
        self.set_user(user)

    def set_user(self, user: int | str | None) -> None:
        """Only jobs of a user: a name, a number, "all", or None for oneself. ValueError for an unknown one."""
        self.userid = userid_of(user)

    def add_filter(self, fname: str) -> None:
        """Also jobs in a state, or with a result. ValueError for what is neither."""
        word = fname.lower()
        if word in self.STATES:
            self.states |= self.STATES[word]
        elif word in self.RESULTS:
            self.results |= self.RESULTS[word]
        else:
            raise ValueError(f"Invalid filter specified: {fname}")

    def fetch_jobs(self) -> JobListRPC | JobListIdsFuture:
        """Asks. Returns a future: `get_jobs`, `get_jobinfos`."""
        if self.ids:
            several = JobListIdsFuture()
            for id in self.ids:
                several.push(job_list_id(self.handle, id, self.attrs))
            return several
        what = (self.max_entries, self.attrs, self.userid, self.states, self.results, self.since)
        return job_list(self.handle, *what, self.name, self.queue, self.constraint)

    def jobs(self) -> list[JobInfo]:
        """Asks, and returns the jobs, a `JobInfo` each."""
        asked = self.fetch_jobs()
        found = list(asked.get_jobinfos())
        self.errors = asked.errors if isinstance(asked, JobListIdsFuture) else []
        return found


def userid_of(user: int | str | None) -> int:
    """The number of a user, by name or as text; of "all" users, or of oneself (None). ValueError for an unknown one."""
    if user is None:
        return os.getuid()
    if user == "all":
        return FLUX_USERID_UNKNOWN
    try:
        return pwd.getpwnam(str(user)).pw_uid
    except KeyError:
        pass
    try:
        return int(user)
    except ValueError:
        raise ValueError(f"Invalid user {user} specified") from None
