"""job-list: follows the journal of the job manager, and answers which jobs there are. Rank 0 only."""

import asyncio
from collections.abc import Callable, Iterable
from errno import EINVAL, ENODATA, ENOENT, EPROTO
from heapq import nlargest
from typing import Any, ClassVar

from flux.base.invalid import Invalid
from flux.base.jobid import JobID
from flux.base.jobstate import State
from flux.modules.job_list.matching import Match, parse
from flux.modules.job_list.record import ATTRIBUTES, Record
from flux.modules.job_list.tally import Tally
from flux.service import LATER, Call, Later, Service, event, request
from flux.service.kit import LOG_ERR
from flux.wire.message import USER, Event

BATCH = 500
"""Jobs of one answer of a stream."""


class JobList(Service):
    """All jobs, by id."""

    name: ClassVar[str] = "job-list"

    async def start(self) -> None:
        """Follows the manager."""
        self._jobs: dict[int, Record] = {}
        self._tally = Tally()
        self._ready = asyncio.Event()
        self._waiting: dict[int, list[tuple[Call, Callable[[Record], None]]]] = {}
        self._watching: list[Call] = []
        self._told = False
        self.run(self._follow())

    async def _follow(self) -> None:
        try:
            async for told in self.stream("job-manager.events-journal", {"full": True}):
                if told["id"] == -1:
                    self._ready.set()
                else:
                    self._take(told)
        except OSError as error:
            if error.errno != ENODATA:
                self.log(LOG_ERR, f"journal: {error.strerror}")

    def _take(self, told: dict[str, Any]) -> None:
        id = told["id"]
        record = self._jobs.get(id)
        before = None if record is None else (record.state, record.result)
        if record is None:
            record = self._jobs[id] = Record(id)
        if "jobspec" in told:
            record.specify(told["jobspec"])
        if "R" in told:
            record.allocate(told["R"])
        for happened in told["events"]:
            record.apply(happened)
        if before != (record.state, record.result):
            self._tally.move(record, before)
            self._tell_watchers()
        waiting = self._waiting.pop(id, ())
        for _, answer in waiting:
            answer(record)

    @event("job-purge-inactive")
    def purged(self, event: Event) -> None:
        """Jobs are forgotten."""
        for id in event.body()["jobs"]:
            record = self._jobs.pop(id, None)
            if record is not None:
                self._tally.purge(record)

    # -- topics -----------------------------------------------------------------------------------------------------

    @request("list", allow=USER)
    async def list_jobs(
        self,
        call: Call,
        *,
        max_entries: int,
        attrs: list[str],
        since: float = 0.0,
        constraint: dict[str, Any] | None = None,
    ) -> dict[str, Any] | Later:
        """The jobs that match: first those that wait, by priority, then those that run, then those that are over."""
        if max_entries < 0:
            raise OSError(EPROTO, "invalid payload: max_entries < 0 not allowed")
        if since < 0:
            raise OSError(EPROTO, "invalid payload: since < 0.0 not allowed")
        wanted = _wanted(attrs)
        matching = _matching(constraint)
        await self._ready.wait()
        found = self._find(matching, since, max_entries)
        if not call.request.streaming:
            return {"jobs": [_told(record, wanted) for record in found]}
        self.keep(call)
        for at in range(0, len(found), BATCH) or [0]:
            jobs = [_told(record, wanted) for record in found[at : at + BATCH]]
            call.respond({"jobs": jobs} | ({} if at else {"version": 1}))
        call.end()
        return LATER

    @request(allow=USER)
    async def list_id(self, call: Call, *, id: int, attrs: list[str], state: int = 0) -> Later:
        """One job; with `state`, when it has come to that."""
        wanted = _wanted(attrs)
        await self._ready.wait()
        record = self._jobs.get(id)
        if record is None:
            await self._check_known(id)
            record = self._jobs.get(id)

        def answer(found: Record) -> None:
            if state and not found.state >= state:
                self._waiting.setdefault(id, []).append((call, answer))
            else:
                call.respond({"job": _told(found, wanted)})

        if record is None:
            self._waiting.setdefault(id, []).append((call, answer))
        else:
            answer(record)
        return LATER

    async def _check_known(self, id: int) -> None:
        """A job may be so new that the journal has not told of it."""
        try:
            payload = {"key": f"{JobID(id).kvs}.eventlog", "flags": 0, "namespace": "primary"}
            await self.rpc("kvs.lookup", payload)
        except OSError:
            raise OSError(ENOENT, "unknown job id") from None

    @request(allow=USER)
    def list_attrs(self, call: Call) -> dict[str, Any]:
        """What can be asked of a job."""
        return {"attrs": [*ATTRIBUTES, "all"]}

    @request(allow=USER)
    async def job_stats(self, call: Call) -> dict[str, Any] | Later:
        """How many jobs are in which state; to who takes a stream, again when that changes."""
        await self._ready.wait()
        told = self._tally.described()
        if not call.request.streaming:
            return told
        call.respond(told)
        self._watching.append(call)
        call.on_close = lambda: self._watching.remove(call)
        return LATER

    def _tell_watchers(self) -> None:
        """At most ten times a second."""
        if self._watching and not self._told:
            self._told = True
            self.host.after(0.1, self._tell_now)

    def _tell_now(self) -> None:
        self._told = False
        told = self._tally.described()
        for call in list(self._watching):
            call.respond(told)

    @request(allow=USER)
    def stats_get(self, call: Call) -> dict[str, Any]:
        """How many jobs it knows."""
        counts = {"pending": 0, "running": 0, "inactive": 0}
        for record in self._jobs.values():
            counts[_phase(record)] += 1
        waits = sum(len(waiting) for waiting in self._waiting.values())
        more = {"jobs": counts, "idsync": {"lookups": 0, "waits": waits}, "stats_watchers": len(self._watching)}
        return super().stats_get(call) | more

    # -- inside -----------------------------------------------------------------------------------------------------

    def _find(self, matching: Match, since: float, most: int) -> list[Record]:
        phases: dict[str, list[Record]] = {"pending": [], "running": [], "inactive": []}
        for record in self._jobs.values():
            over = record.times.get("t_inactive", 0.0)
            if record.state and (not since or not over or over > since) and matching(record):
                phases[_phase(record)].append(record)
        pending = _first(phases["pending"], most, _by_priority)
        running = _first(phases["running"], most, lambda record: (record.times.get("t_run", 0.0), record.id))
        inactive = _first(phases["inactive"], most, lambda record: (record.times.get("t_inactive", 0.0), record.id))
        return [*pending, *running, *inactive][: most or None]


def _by_priority(record: Record) -> tuple[int, int]:
    return record.get("priority") or 0, -record.id


def _first(records: list[Record], most: int, key: Callable[[Record], Any]) -> Iterable[Record]:
    return nlargest(most, records, key) if 0 < most < len(records) else sorted(records, key=key, reverse=True)


def _phase(record: Record) -> str:
    if record.state == State.INACTIVE:
        return "inactive"
    return "running" if record.state & State.RUNNING else "pending"


def _wanted(attrs: list[str]) -> set[str] | None:
    """The attributes that somebody wants, None for all. EINVAL names one that there is not."""
    for attr in attrs:
        if attr not in ATTRIBUTES and attr not in ("all", "id"):
            raise OSError(EINVAL, f"{attr} is not a valid attribute")
    return None if "all" in attrs else {"id", *attrs}


def _matching(constraint: dict[str, Any] | None) -> Match:
    try:
        return parse(constraint or {})
    except Invalid as error:
        raise OSError(EINVAL, f"invalid payload: constraint object invalid: {error}") from None


def _told(record: Record, wanted: set[str] | None) -> dict[str, Any]:
    told = record.described()
    return told if wanted is None else {key: value for key, value in told.items() if key in wanted}
