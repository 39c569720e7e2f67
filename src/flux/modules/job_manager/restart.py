"""What the key-value store has of jobs, taken up when the manager starts."""

from errno import ENOENT
from typing import Any, Protocol

import msgspec

from flux.base import eventlog, treeobj
from flux.base.jobid import parse
from flux.modules.job_manager.core import Jobs
from flux.service.kit import LOG_ERR, LOG_INFO

READDIR = 1
CHECKPOINT = "checkpoint.job-manager"


class Asker(Protocol):
    """Who asks the key-value store: the service."""

    async def rpc(self, topic: str, data: Any = None) -> dict[str, Any]: ...
    def log(self, level: int, text: str) -> None: ...


class Restart:
    """Reads job.*.*.*.*, one job after the other."""

    def __init__(self, asker: Asker, jobs: Jobs) -> None:
        self._asker, self._jobs = asker, jobs

    async def run(self) -> None:
        """Takes it all up."""
        checkpoint = await self._json(CHECKPOINT)
        if checkpoint is not None:
            self._jobs.max_id = int(checkpoint.get("max_jobid", 0))
            self._jobs.queues.restore(checkpoint.get("queue", []))
        count = await self._below("job", 4)
        self._jobs.resume()
        if count:
            self._asker.log(LOG_INFO, f"restart: {count} jobs, {len(self._jobs.active)} of them active")

    async def _below(self, key: str, depth: int) -> int:
        found = await self._look(key, READDIR)
        if found is None:
            return 0
        count = 0
        for name in sorted(found["data"]):
            if depth > 1:
                count += await self._below(f"{key}.{name}", depth - 1)
            else:
                count += await self._job(f"{key}.{name}")
        return count

    async def _job(self, key: str) -> int:
        text = await self._look(f"{key}.eventlog", 0)
        try:
            if text is None:
                raise OSError(ENOENT, "no eventlog")
            events = eventlog.decode(treeobj.value_of(text))
            over = bool(events) and events[-1]["name"] == "clean"
            jobspec, R = (None, None) if over else (await self._json(f"{key}.jobspec"), await self._json(f"{key}.R"))
            if jobspec is not None:
                jobspec["attributes"]["system"].pop("environment", None)
            self._jobs.replay(parse(key), jobspec, R, events)
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._asker.log(LOG_ERR, f"restart: {key}: {error}")
            return 0
        return 1

    async def _json(self, key: str) -> Any:
        found = await self._look(key, 0)
        return None if found is None else msgspec.json.decode(treeobj.value_of(found))

    async def _look(self, key: str, flags: int) -> Any:
        try:
            payload = {"key": key, "flags": flags, "namespace": "primary"}
            return (await self._asker.rpc("kvs.lookup", payload))["val"]
        except OSError as error:
            if error.errno == ENOENT:
                return None
            raise
