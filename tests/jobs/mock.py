"""Jobs that run nothing, in simulated instances: how they are submitted, and what must hold of all of them."""

from binascii import b2a_base64
from typing import Any

import msgspec

from flux.base import eventlog, treeobj
from flux.base.jobid import JobID
from flux.testing.sim import SimBroker, SimInstance
from flux.wire.message import STREAMING

MODULES = (
    *("heartbeat", "live", "content", "content-memory", "kvs", "kvs-watch", "resource", "job-manager"),
    *("sched-simple", "job-ingest", "job-exec", "job-info", "job-list"),
)
OWNER = 1000


def jobspec(runs: str = "1s", slots: int = 1, nodes: int = 0, **system: Any) -> dict[str, Any]:
    """A job of so many slots of a core, perhaps on each of some nodes."""
    slot = {"type": "slot", "count": slots, "with": [{"type": "core", "count": 1}], "label": "task"}
    top = {"type": "node", "count": nodes, "with": [slot]} if nodes else slot
    test = {"exec": {"test": {"run_duration": runs}}}
    return {
        "resources": [top],
        "tasks": [{"command": ["mock"], "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": {"duration": 0, "cwd": "/", **test, **system}},
        "version": 1,
    }


def signed(spec: dict[str, Any], userid: int) -> str:
    """J, by the mechanism none (RFC 39)."""
    header = b"version\0i1\0userid\0i%d\0mechanism\0snone\0" % userid
    parts = [b2a_base64(part, newline=False).decode() for part in (header, msgspec.json.encode(spec))]
    return ".".join([*parts, "none"])


async def submit(broker: SimBroker, spec: dict[str, Any], urgency: int = 16, flags: int = 0) -> int:
    """Submits a job; returns its id when it is acknowledged."""
    face = broker.client()
    try:
        J = signed(spec, face.client.userid)
        answer = await face.rpc("job-ingest.submit", {"J": J, "urgency": urgency, "flags": flags})
        return int(answer["id"])
    finally:
        broker.leave(face)


async def events(flux: SimInstance, id: int) -> list[dict[str, Any]]:
    """The eventlog of a job, as it is written."""
    payload = {"key": f"{JobID(id).kvs}.eventlog", "flags": 0, "namespace": "primary"}
    found = await flux[0].rpc("kvs.lookup", payload)
    return eventlog.decode(treeobj.value_of(found["val"]))


async def until(flux: SimInstance, id: int, name: str, path: str = "eventlog") -> dict[str, Any]:
    """Waits for an event of a job."""
    face = flux[0].client()
    try:
        asked = {"id": id, "path": path, "flags": 0}
        async for answer in face.stream("job-info.eventlog-watch", asked):
            (event,) = eventlog.decode(answer["event"])
            if event["name"] == name:
                return event
    finally:
        flux[0].leave(face)
    raise AssertionError(f"{JobID(id)}: no event {name}")


async def drained(flux: SimInstance) -> None:
    """Returns when no job is active, and all that happened to them is written."""
    await flux[0].rpc("job-manager.drain")
    await flux[0].rpc("kvs.commit", {"ops": [], "namespace": "primary", "flags": 0})


def check(log: list[dict[str, Any]]) -> str:
    """What is wrong with the eventlog of a job that is over, "" if nothing is."""
    names = [event["name"] for event in log]
    for name in ("submit", "validate", "clean"):
        if names.count(name) != 1:
            return f"{names.count(name)} x {name}"
    if names[:2] != ["submit", "validate"] or names[-1] != "clean":
        return "does not begin and end as it should"
    if names.count("alloc") != names.count("free") or names.count("alloc") > 1:
        return "what was allocated is not freed once"
    if "start" in names and names.count("finish") + names.count("exception") == 0:
        return "started, and neither finished nor failed"
    times = [event["timestamp"] for event in log]
    return "" if times == sorted(times) else "times go back"


__all__ = ["STREAMING", "check", "drained", "events", "jobspec", "signed", "submit", "until"]
