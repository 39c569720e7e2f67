"""`flux uptime`: how long a session has been running, whose it is, and how large."""

import pwd
import time
from errno import ENOENT, ENOSYS
from typing import Any

from flux.base.duration import exact_fsd
from flux.base.idset import IDset
from flux.commands.parser import Parser, command_parser
from flux.core.handle import Flux

EXAMPLES = """\
  flux uptime             time of day, state, how long, owner, depth (0 is outermost), size
  flux uptime --json      for programs; seconds
"""


def parser() -> Parser:
    """The options of `flux uptime`."""
    made = command_parser("uptime", "Show how long the session has been running, and what it lacks.", EXAMPLES)
    made.add_argument("--json", action="store_true", help="as a JSON object")
    return made


def main(argv: list[str]) -> int:
    """Runs `flux uptime`."""
    args = parser().parse_args(argv)
    with Flux() as handle:
        found = look(handle, time.time())
    if args.json:
        from json import dumps

        print(dumps(found, indent=2))
    else:
        print(summary(found, time.strftime("%H:%M:%S")))
    return 0


def look(handle: Flux, now: float) -> dict[str, Any]:
    """What there is to know; outside of the state `run` only what this broker knows, as others may not answer."""
    state = handle.rpc("state-machine.get").get()
    found = {
        "state": state["state"],
        "duration": state["duration"],
        "owner": user(int(handle.attr_get("security.owner"))),
        "depth": int(handle.attr_get("instance-level")),
        "size": int(handle.attr_get("size")),
        "drained": 0,
        "offline": 0,
        "notices": [],
    }
    if found["state"] == "run":
        started = handle.rpc("attr.get", {"name": "broker.starttime"}, nodeid=0).get()["value"]
        online = handle.rpc("groups.get", {"name": "broker.online"}, nodeid=0).get()["members"]
        found["duration"] = now - float(started)
        found["offline"] = found["size"] - IDset(online).count()
        found["drained"] = drained(handle)
        found["notices"] = notices(handle)
    return found


def drained(handle: Flux) -> int:
    """How many brokers get no new jobs."""
    status = optional(handle, "resource.status")
    return sum(IDset(ranks).count() for ranks in status.get("drain", {}))


def notices(handle: Flux) -> list[str]:
    """What all queues have in common and users should know."""
    names = optional(handle, "job-manager.queue-list").get("queues", []) or [None]
    queues = [optional(handle, "job-manager.queue-status", {"name": name} if name else {}) for name in names]
    found = []
    if not any(queue.get("enable", True) for queue in queues):
        found.append("submit disabled")
    if not any(queue.get("start", True) for queue in queues):
        found.append("scheduler stopped")
    return found


def optional(handle: Flux, topic: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
    """Asks a service of rank 0 that a session may do without."""
    try:
        return handle.rpc(topic, payload, nodeid=0).get() or {}
    except OSError as error:
        if error.errno not in (ENOSYS, ENOENT):
            raise
        return {}


def user(uid: int) -> str:
    """The name of a user, or the number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def summary(found: dict[str, Any], clock: str) -> str:
    """One line as uptime(1) has it, and one for notices if there are any."""
    words = [
        f" {clock} {found['state']} {exact_fsd(found['duration'], 2)}",
        f"owner {found['owner']}",
        f"depth {found['depth']}",
        f"size {found['size']}",
        *(f"{found[kind]} {kind}" for kind in ("drained", "offline") if found[kind]),
    ]
    lines = [",  ".join(words)]
    if found["notices"]:
        lines.append("  " + ",  ".join(found["notices"]))
    return "\n".join(lines)
