"""job-info: eventlogs and other things that are written of a job, once or as they grow. Rank 0 only."""

import os
from errno import EINVAL, ENODATA, ENOENT, EPERM, EPROTO
from typing import Any, ClassVar

import msgspec

from flux.base import eventlog, treeobj
from flux.base.jobid import JobID
from flux.modules.job_info.current import updated
from flux.modules.job_info.ends import End
from flux.service import LATER, Call, Later, Service, request
from flux.wire.message import OWNER, USER

DECODE, CURRENT = 1, 2
"""Flags of a lookup."""
WAITCREATE, SENTINEL = 1, 2
"""Flags of a watch."""
WATCH, WATCH_WAITCREATE, WATCH_APPEND, STREAM, WATCH_SENTINEL = 4, 8, 256, 512, 1024
"""Flags of kvs-watch."""
GUEST = "guest."


class JobInfo(Service):
    """Reads the key-value store in the name of who asks."""

    name: ClassVar[str] = "job-info"

    @request(allow=USER)
    async def lookup(self, call: Call, *, id: int, keys: list[str], flags: int = 0) -> dict[str, Any]:
        """What is at some keys of a job, as text; with DECODE as JSON, with CURRENT as events have changed it."""
        if flags & ~(DECODE | CURRENT):
            raise OSError(EPROTO, f"unknown flags {flags}")
        events = await self._events(call, id)
        found: dict[str, Any] = {"id": id}
        for key in keys:
            text = events if key == "eventlog" else await self._text(id, key)
            if flags & (DECODE | CURRENT) and key in ("jobspec", "R"):
                obj = msgspec.json.decode(text)
                if flags & CURRENT:
                    obj = updated(key, obj, eventlog.decode(events))
                found[key] = obj if flags & DECODE else msgspec.json.encode(obj).decode()
            else:
                found[key] = text
        return found

    @request(allow=USER)
    async def update_lookup(self, call: Call, *, id: int, key: str, flags: int = 0) -> dict[str, Any]:
        """R or jobspec as events have changed it."""
        return {key: await self._current(call, id, key)}

    @request(allow=USER)
    def update_watch(self, call: Call, *, id: int, key: str, flags: int = 0) -> Later:
        """R or jobspec, and again whenever it changes, until the job is over."""
        _check_streaming(call)
        self.run(self._watch_updates(call, id, key), call=call)
        return LATER

    async def _watch_updates(self, call: Call, id: int, key: str) -> None:
        name = "jobspec-update" if key == "jobspec" else "resource-update"
        call.respond({key: await self._current(call, id, key)})
        said = 0
        async for events in self._appended(f"{JobID(id).kvs}.eventlog", WATCH | WATCH_APPEND):
            changes = [event for event in events if event["name"] == name]
            said += len(changes)
            if changes:
                call.respond({key: await self._current(call, id, key)})
            if any(event["name"] == "clean" for event in events):
                break
        call.end()

    async def _current(self, call: Call, id: int, key: str) -> dict[str, Any]:
        if key not in ("R", "jobspec"):
            raise OSError(EINVAL, f"unsupported key lookup '{key:.40}'")
        events = await self._events(call, id)
        return updated(key, msgspec.json.decode(await self._text(id, key)), eventlog.decode(events))

    # -- logs that grow ---------------------------------------------------------------------------------------------

    @request(allow=USER)
    def eventlog_watch(self, call: Call, *, id: int, path: str, flags: int = 0) -> Later:
        """The events of one log of a job, until its last."""
        _check_streaming(call)
        if flags & ~(WAITCREATE | SENTINEL):
            raise OSError(EPROTO, f"unknown flags {flags}")
        self.run(self._watch(call, id, path, flags), call=call)
        return LATER

    async def _watch(self, call: Call, id: int, path: str, flags: int) -> None:
        events = eventlog.decode(await self._events(call, id))
        over = bool(events) and events[-1]["name"] == "clean"
        if path.startswith(GUEST) and not over:
            over = await self._began(id, path)
        if over:
            how = STREAM
        else:
            how = WATCH | WATCH_APPEND | (WATCH_SENTINEL if flags & SENTINEL else 0)
            how |= WATCH_WAITCREATE if flags & WAITCREATE or path.startswith(GUEST) else 0
        end = End(path)
        async for some in self._appended(f"{JobID(id).kvs}.{path}", how):
            if some is None:
                call.respond({})
                continue
            for event in some:
                call.respond({"event": eventlog.encode(event)})
                if end.reached(event) and not over:
                    call.end()
                    return
        if over and flags & SENTINEL:
            call.respond({})
        call.end()

    async def _began(self, id: int, path: str) -> bool:
        """Waits until a job writes that log, or is over."""
        async for events in self._appended(f"{JobID(id).kvs}.eventlog", WATCH | WATCH_APPEND):
            names = {event["name"] for event in events or ()}
            if "clean" in names:
                return True
            if names & {"start", "alloc"}:
                return False
        return True

    async def _appended(self, key: str, how: int) -> Any:
        """What is in a log, or is appended to it, some events at a time; None is the sentinel."""
        asked = {"key": key, "namespace": "primary", "flags": how}
        stream = self.stream("kvs-watch.lookup", asked)
        try:
            async for answer in stream:
                yield eventlog.decode(treeobj.value_of(answer["val"])) if "val" in answer else None
        except OSError as error:
            if error.errno != ENODATA:
                raise

    # -- inside -----------------------------------------------------------------------------------------------------

    async def _events(self, call: Call, id: int) -> str:
        """The eventlog of a job, for those who may read it."""
        text = await self._text(id, "eventlog")
        asked = call.request
        if not asked.rolemask & OWNER:
            first = eventlog.decode(text)[0]
            if first.get("context", {}).get("userid") != asked.userid:
                raise OSError(EPERM, "the job belongs to somebody else")
        return text

    async def _text(self, id: int, key: str) -> str:
        try:
            payload = {"key": f"{JobID(id).kvs}.{key}", "flags": 0, "namespace": "primary"}
            found = await self.rpc("kvs.lookup", payload)
        except OSError as error:
            if error.errno == ENOENT:
                raise OSError(ENOENT, os.strerror(ENOENT)) from None
            raise
        return treeobj.value_of(found["val"]).decode()


def _check_streaming(call: Call) -> None:
    if not call.request.streaming:
        raise OSError(EPROTO, f"{call.request.topic} needs a streaming request")
