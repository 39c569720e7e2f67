"""What a configuration adds to a jobspec: `policy.jobspec.defaults`, and what a queue requires (RFC 33). Pure."""

from collections.abc import Mapping
from typing import Any

from flux.base.duration import parse_fsd
from flux.base.invalid import Invalid


def complete(jobspec: dict[str, Any], config: Mapping[str, Any]) -> None:
    """Fills in defaults: a queue, a duration, properties of the queue. Raises Invalid for a queue that is not there."""
    system = jobspec.get("attributes", {}).get("system")
    if not isinstance(system, dict):
        return
    queues = config.get("queues", {})
    defaults = _defaults(config)
    if queues and not system.get("queue") and defaults.get("queue"):
        system["queue"] = defaults["queue"]
    queue = system.get("queue")
    if queue is not None and queues and queue not in queues:
        raise Invalid(f"Invalid queue '{queue}' specified")
    if queue is not None and not queues:
        raise Invalid(f"Invalid queue '{queue}' specified: no queues are configured")
    if queues and not queue:
        raise Invalid("no queue specified, and there is no default queue")
    of_queue = queues.get(queue, {}) if queue else {}
    duration = _defaults(of_queue).get("duration", defaults.get("duration"))
    if duration is not None and not system.get("duration"):
        system["duration"] = parse_fsd(duration) if isinstance(duration, str) else float(duration)
    if of_queue.get("requires"):
        _require(system, list(of_queue["requires"]))


def _defaults(table: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = table.get("policy", {}).get("jobspec", {}).get("defaults", {}).get("system", {})
    return found


def _require(system: dict[str, Any], properties: list[str]) -> None:
    wanted: dict[str, Any] = {"properties": properties}
    before = system.get("constraints")
    system["constraints"] = {"and": [before, wanted]} if before else wanted
